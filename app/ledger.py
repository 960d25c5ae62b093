"""The ledger: what every request may use, what it did use, and the answers that are kept. It is the same for all tasks, as it is in Valkey.

One script call before a request; what it used travels with the next one's. While Valkey is away the cache is open (nothing is found), rate
limits are estimated by each process for itself, and budgets in dollars are closed.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import struct
import time
from typing import Any

from app import log
from app.calls import GO, HIT, Calls, Found
from app.errors import UnavailableError
from app.estimate import Estimate
from app.limits import Ladder, Limits, Step, nanousd
from app.reservation import Reservation, Verdict, headers, label
from app.rows import row_of, spent, usage_key
from app.settlements import Settlement
from app.usage import Usage
from app.valkey import Valkey

GRACE_S = 30.0
"""How much longer than the longest request a hold lasts: then its task is dead, and the hold lapses."""
MAX_ANSWER_BYTES = 1_048_576
"""Longest answer that is kept."""
UNAVAILABLE_S = 2.0
"""When to try again after a budget could not be looked up."""
EPOCHS, MOST_EPOCHS = "ledger:epochs", 10_000
_STEPS = tuple(Step)


class Ledger:
    """`stage.usd_per_month` is the budget whose shares the ladder names; `longest_s` is the longest that a request may take."""

    def __init__(self, valkey: Valkey, stage: Limits, ladder: Ladder, longest_s: float = 600) -> None:
        self._valkey = valkey
        self._stage = stage
        self._budget_nanousd = nanousd(stage.usd_per_month)
        hold_s = longest_s + GRACE_S
        head = stage.packed + struct.pack("<d", hold_s * 1e6) + ladder.packed(self._budget_nanousd)
        self._estimate = Estimate(stage)
        self._calls = Calls(valkey, head, hold_s)
        self._name = secrets.token_hex(6)
        self._numbers = itertools.count()
        self._step = Step.NORMAL
        self._spent_nanousd = 0

    def step(self) -> Step:
        """The ladder's step as the last answer from Valkey told it."""
        return self._step

    def share(self) -> float:
        """The share of the month's budget that was spent, as last told (0: there is no budget)."""
        return self._spent_nanousd / self._budget_nanousd if self._budget_nanousd else 0.0

    async def reserve(self, asked: Reservation, limits: Limits) -> Verdict:
        """Look for a kept answer, and else hold what is asked on every limit at once, or say which is in the way."""
        asked.hold = f"{self._name}-{next(self._numbers):x} {asked.client} {asked.tokens} {asked.cost_nanousd} {asked.stream:d}"
        asked.limits = limits
        if not self._valkey.up:
            return self._estimated(asked, limits)
        asked.reserved_at = time.monotonic()
        found = await self._calls.reserve(asked, limits)
        return self._estimated(asked, limits) if found is None else self._verdict(asked, limits, found)

    def settle(  # noqa: PLR0913  one name for each thing that is counted
        self,
        asked: Reservation,
        *,
        tokens: int = 0,
        cost_nanousd: int = 0,
        usage: Usage | None = None,
        answer: bytes | None = None,
        saved_nanousd: int = 0,
        hit: bool = False,
        error: bool = False,
    ) -> None:
        """Say what a request that may go out, or was answered from the cache, did use.

        It takes no time and never fails; for a request that was refused, and a second time, it does nothing. `asked.model` may have been
        changed to the model that answered.
        """
        if asked.limits is None or asked.how in {"none", "done"}:
            return
        how, asked.how = asked.how, "done"
        if how == "local":
            self._estimate.settle(asked, asked.limits, tokens)
        prompt, completion = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
        numbers = (tokens, cost_nanousd, 1, hit, error, prompt, completion, cost_nanousd, saved_nanousd)
        kept = answer if answer and asked.cache_key and not hit and len(answer) <= MAX_ANSWER_BYTES else b""
        self._calls.settle(Settlement(asked, "held" if how == "held" else "local", numbers, kept))

    def release(self, asked: Reservation) -> None:
        """Give back what is held for a request that does not go out after all; nothing is counted but against requests a minute."""
        if asked.how == "local" and asked.limits:
            self._estimate.settle(asked, asked.limits, 0)
        elif asked.how == "held":
            self._calls.void(asked)
        asked.how = "done"

    async def drained(self) -> None:
        """Wait until everything settled so far is in Valkey, as far as it is there: before the process ends."""
        await self._calls.drained()

    async def invalidate(self, *, client: str | None = None, model: str | None = None, prompt_version: str | None = None) -> None:
        """Forget the kept answers of a client, model and prompt version, or of all where one is not given: one step, however many.

        Raises:
            UnavailableError: Valkey is away, and nothing was done.
        """
        if int(await self._valkey.command("HLEN", EPOCHS) or 0) >= MOST_EPOCHS:
            model = prompt_version = None  # epochs are never forgotten: rather forget too many answers
        given = (("client", client), ("model", model), ("version", prompt_version))
        field = " ".join(f"{name} {label(value)}" for name, value in given if value) or "all"
        if await self._valkey.command("HINCRBY", EPOCHS, field, "1") is None:
            raise UnavailableError("The cache cannot be reached; its answers were not invalidated.", code="cache_unavailable")

    async def spend(self, client: str) -> dict[str, int]:
        """Nano-dollars that the client spent today and this month, and the stage this month; 0 while nothing is known."""
        day_nanousd, month_nanousd = spent(await self._valkey.command("GET", f"ledger:client:{client}"))
        stage_nanousd = spent(await self._valkey.command("GET", "ledger:stage"))[1]
        return {"client_day_nanousd": day_nanousd, "client_month_nanousd": month_nanousd, "stage_month_nanousd": stage_nanousd}

    async def usage(self, days: list[str], client: str | None = None) -> list[dict[str, Any]]:
        """The rows of these days (as 2026-11-23, UTC), of one client or of all.

        Raises:
            UnavailableError: Valkey is away.
        """
        rows: list[dict[str, Any]] = []
        for day in days:
            key = usage_key(day)
            found = [client.encode()] if client else await self._valkey.command("SMEMBERS", key) or ()
            names = sorted(name.decode() for name in found)
            tables = await asyncio.gather(*(self._valkey.command("HGETALL", f"{key}:{name}") for name in names))
            for name, table in zip(names, tables, strict=True):
                rows += [row_of(day, name, row, numbers) for row, numbers in sorted((table or {}).items())]
        if not self._valkey.up:
            raise UnavailableError("Usage is kept in Valkey, which cannot be reached now.", code="usage_unavailable")
        return rows

    def _verdict(self, asked: Reservation, limits: Limits, found: Found) -> Verdict:
        state, text, wait_us, requests, tokens = found.own
        step, self._spent_nanousd = _STEPS[found.step], found.spent_nanousd
        if step is not self._step:
            self._stepped(step)
        told = headers(limits, requests, tokens)
        if state == HIT:
            asked.how = "hit"
            return Verdict("hit", step, told | {"age": str(wait_us // 1_000_000)}, body=text)
        if state == GO:
            asked.how = "held"
            asked.cache_key = text.decode()
            return Verdict("go", step, told)
        wait_s = None if wait_us < 0 else wait_us / 1e6
        return Verdict("refused", step, told, limit=text.decode(), retry_after_s=wait_s)

    def _estimated(self, asked: Reservation, limits: Limits) -> Verdict:
        if limits.in_dollars or self._stage.in_dollars:
            return Verdict("refused", self._step, {}, limit="budget_unavailable", retry_after_s=UNAVAILABLE_S)
        limit, wait_s, used = self._estimate.reserve(asked, limits)
        asked.how = "none" if limit else "local"
        told = headers(limits, used.requests, used.tokens)
        return Verdict("refused", self._step, told, limit=limit, retry_after_s=wait_s) if limit else Verdict("go", self._step, told)

    def _stepped(self, step: Step) -> None:
        self._step = step
        log.warning("spend_step", step=step.name.lower(), budget_share=round(self.share(), 3))
