"""What a client or a stage may use, and what happens as the stage's budget goes down."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import IntEnum
from typing import Self

NANOUSD = 10**9
"""Nano-dollars in a dollar: money is counted in whole ones."""
_MOST = 9 * 10**15  # Valkey's scripts count in doubles, exact up to 2**53: nine million dollars


class LimitsError(ValueError):
    """Limits or a ladder that cannot be used; the message says which, and what is allowed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """0 is no limit. Buckets: a minute's worth may come at once, and comes back evenly within a minute."""

    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    streams: int = 0
    usd_per_day: float = 0
    usd_per_month: float = 0
    packed: bytes = field(init=False, repr=False, compare=False)
    """As the ledger's scripts read them; made once, not for each request."""

    def __post_init__(self) -> None:
        for item in fields(self):
            if item.init:
                _check(item.name, getattr(self, item.name), whole=item.type == "int")
        counts = self.requests_per_minute, self.tokens_per_minute, self.streams
        object.__setattr__(self, "packed", struct.pack("<5d", *counts, nanousd(self.usd_per_day), nanousd(self.usd_per_month)))

    @property
    def in_dollars(self) -> bool:
        return bool(self.usd_per_day or self.usd_per_month)

    def merged(self, overrides: Mapping[str, object]) -> Limits:
        """These limits with those of a client in place of the general ones.

        Raises:
            LimitsError: there is no such limit, or its value cannot be one.
        """
        names = [item.name for item in fields(self) if item.init]
        if unknown := next((name for name in overrides if name not in names), None):
            raise LimitsError(f"{unknown!r} is no limit; there are {', '.join(names)}.")
        return replace(self, **overrides) if overrides else self  # type: ignore[arg-type]  # checked when it is made


def nanousd(usd: float) -> int:
    return round(usd * NANOUSD)


def _check(name: str, value: object, *, whole: bool) -> None:
    kinds = (int,) if whole else (int, float)
    most = _MOST if whole else _MOST // NANOUSD
    if type(value) not in kinds or not math.isfinite(value) or not 0 <= value <= most:  # type: ignore[operator,arg-type]
        raise LimitsError(f"{name} must be {'a whole number' if whole else 'a number'} from 0 (no limit) to {most}, not {value!r}.")


class Step(IntEnum):
    """What the gateway does about its spending; each includes those before it."""

    NORMAL = 0
    ALERT = 1
    CHEAPER = 2
    SHORTER = 3
    CACHE_ONLY = 4
    STOP = 5


NAMES = {"alert": Step.ALERT, "cheaper": Step.CHEAPER, "shorter": Step.SHORTER, "cache": Step.CACHE_ONLY, "stop": Step.STOP}


@dataclass(frozen=True, slots=True)
class Ladder:
    """The shares of the month's budget at which the steps begin, in order."""

    steps: tuple[tuple[float, Step], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """A ladder such as `0.5:alert,0.8:cheaper,0.9:shorter,0.95:cache,1:stop`; steps can be left out, and no text is no ladder.

        Raises:
            LimitsError: it is something else; the message names the part.
        """
        steps: list[tuple[float, Step]] = []
        for part in filter(None, (part.strip() for part in text.split(","))):
            share_text, _, name = part.partition(":")
            try:
                share, step = float(share_text), NAMES[name.strip()]
            except (ValueError, KeyError):
                raise LimitsError(f"{part!r} is no step: a share of the budget and one of {', '.join(NAMES)}, as 0.8:cheaper.") from None
            if not 0 < share <= 1:
                raise LimitsError(f"{part!r}: a share of the budget is more than 0 and at most 1.")
            if steps and (share <= steps[-1][0] or step <= steps[-1][1]):
                raise LimitsError(f"{part!r} must come later and do more than the step before it; the order is {', '.join(NAMES)}.")
            steps.append((share, step))
        return cls(tuple(steps))

    def packed(self, budget_nanousd: int) -> bytes:
        """The spending at which each step begins, as the ledger's script reads it."""
        begins = {step: math.ceil(share * budget_nanousd) for share, step in self.steps} if budget_nanousd else {}
        return struct.pack("<5d", *(begins.get(step, math.inf) for step in Step if step))
