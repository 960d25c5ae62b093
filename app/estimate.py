"""Rate limits while Valkey is away: the ledger's algorithm in this process's memory.

It knows of this process alone, so that several workers and tasks together let through as many times the limit. Dollars are not
estimated: a budget that nobody can look up is closed.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from app.limits import Limits
from app.reservation import Reservation

SOON_S = 1.0
"""When what is in the way ends with another request."""
_ROUNDING = 1e-6


class Scope:
    """The buckets and holds of the stage or of a client, as in `ledger.lua`, where the reasons stand."""

    __slots__ = ("at", "full_at", "held", "requests", "streams", "tokens")

    def __init__(self, now: float) -> None:
        self.at = self.full_at = now
        self.requests = self.tokens = 0.0
        self.held = self.streams = 0

    def drain(self, limits: Limits, now: float) -> None:
        minutes = max(0.0, now - self.at) / 60
        self.at = now
        self.requests = _drained(self.requests, limits.requests_per_minute, minutes)
        self.tokens = _drained(self.tokens, limits.tokens_per_minute, minutes)
        if self.tokens <= self.held:
            self.full_at = now

    def in_the_way(self, limits: Limits, asked: Reservation) -> tuple[str, float | None] | None:
        """The first limit that has no room, and how long it takes until it may have (None: for ever)."""
        most = limits.requests_per_minute
        if most and self.requests + 1 > most + _ROUNDING:
            return "requests_per_minute", (self.requests + 1 - most) / most * 60
        most = limits.tokens_per_minute
        if most and self.tokens + asked.tokens > most + _ROUNDING:
            return "tokens_per_minute", None if asked.tokens > most else (self.tokens + asked.tokens - most) / most * 60
        if asked.stream and limits.streams and self.streams + 1 > limits.streams:
            return "streams", SOON_S
        return None

    def hold(self, asked: Reservation) -> None:
        self.requests += 1
        self.tokens += asked.tokens
        self.held += asked.tokens
        self.streams += asked.stream

    def settle(self, limits: Limits, asked: Reservation, tokens: int) -> None:
        self.held -= asked.tokens
        self.streams -= asked.stream
        over: float = tokens - asked.tokens
        if over < 0:
            in_vain = max(0.0, self.full_at - asked.reserved_at) / 60 * limits.tokens_per_minute
            over = min(0.0, over + in_vain)
        self.tokens = max(0.0, self.tokens + over)


class Estimate:
    def __init__(self, stage: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = stage
        self._clock = clock
        self._stage = Scope(clock())
        self._clients: dict[str, Scope] = {}

    def reserve(self, asked: Reservation, limits: Limits) -> tuple[str, float | None, Scope]:
        """Hold what is asked, or name the limit in the way ("": none) and the time to wait; also what the client uses."""
        asked.reserved_at = now = self._clock()
        own = self._clients.get(asked.client)
        if own is None:
            own = self._clients[asked.client] = Scope(now)
        own.drain(limits, now)
        self._stage.drain(self._limits, now)
        for prefix, scope, most in (("client_", own, limits), ("stage_", self._stage, self._limits)):
            if found := scope.in_the_way(most, asked):
                return prefix + found[0], found[1], own
        own.hold(asked)
        self._stage.hold(asked)
        return "", 0, own

    def settle(self, asked: Reservation, limits: Limits, tokens: int) -> None:
        now = self._clock()
        own = self._clients[asked.client]
        own.drain(limits, now)
        self._stage.drain(self._limits, now)
        own.settle(limits, asked, tokens)
        self._stage.settle(self._limits, asked, tokens)


def _drained(used: float, limit: int, minutes: float) -> float:
    return min(max(0.0, used - minutes * limit), 2.0 * limit)
