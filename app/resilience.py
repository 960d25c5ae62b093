"""When a call is worth another try: the budget of retries, the pause before one, and a breaker for what is down."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 8.0
Clock = Callable[[], float]


class RetryBudget:
    """At most a share of the requests of the last seconds is tried again, so that retries never make an outage worse."""

    def __init__(self, share: float = 0.1, floor: int = 3, window_s: int = 30, clock: Clock = time.monotonic) -> None:
        self._share = share
        self._floor = floor
        self._clock = clock
        self._second = int(clock())
        self._asked = [0] * window_s
        self._tried = [0] * window_s

    def count(self) -> None:
        """Count a request."""
        self._asked[self._slot()] += 1

    def take(self) -> bool:
        """Whether a retry may be made now; then it is counted."""
        slot = self._slot()
        if sum(self._tried) >= max(self._floor, self._share * sum(self._asked)):
            return False
        self._tried[slot] += 1
        return True

    def _slot(self) -> int:
        second, size = int(self._clock()), len(self._asked)
        if second == self._second:
            return second % size
        for passed in range(self._second + 1, min(second, self._second + size) + 1):
            self._asked[passed % size] = self._tried[passed % size] = 0
        self._second = second
        return second % size


class Breaker:
    """Stops calls to what failed several times in a row; after a pause one call at a time finds out whether it is back."""

    def __init__(
        self, failures: int = 5, pause_s: float = 5, longest_s: float = 60, clock: Clock = time.monotonic, chance: Clock = random.random
    ) -> None:
        self._most = failures
        self._shortest_s, self._longest_s = pause_s, longest_s
        self._clock = clock
        self._chance = chance
        self._failures = 0
        self._pause_s = pause_s
        self._until = 0.0
        self._probing = False

    @property
    def open(self) -> bool:
        return self._failures >= self._most

    @property
    def rest_s(self) -> float:
        """Time until the next call may be made."""
        return max(0.0, self._until - self._clock()) if self.open else 0.0

    def allow(self) -> bool:
        if self._failures < self._most:
            return True
        if self._clock() < self._until:
            return False
        self._probing = True
        self._close_until_later()  # this call is the probe; if it is never heard of again, the next comes after another pause
        return True

    def succeed(self) -> None:
        self._failures = 0
        self._pause_s = self._shortest_s
        self._probing = False

    def fail(self) -> None:
        self._failures += 1
        if self._probing:
            self._probing = False
            self._pause_s = min(2 * self._pause_s, self._longest_s)
            self._close_until_later()
        elif self._failures == self._most:
            self._close_until_later()

    def _close_until_later(self) -> None:
        self._until = self._clock() + self._pause_s * (0.75 + self._chance() / 4)


def pause_s(attempt: int, chance: Clock = random.random) -> float:
    """How long to wait before the next attempt: anything up to a time that doubles, so that callers do not come back together."""
    return chance() * min(LONGEST_PAUSE_S, FIRST_PAUSE_S * (1 << attempt))


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """How long OpenAI asks to wait, if it does."""
    try:
        if text := headers.get("retry-after-ms"):
            return max(0.0, float(text) / 1000)
        text = headers.get("retry-after") or ""
        if not text:
            return None
        if text.replace(".", "", 1).isdigit():
            return float(text)
        rest_s: float = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
        return max(0.0, rest_s)
    except (ValueError, TypeError, OverflowError):
        return None
