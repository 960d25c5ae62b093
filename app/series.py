"""What the meter counts: one row for each client and model, and distributions of times."""

from __future__ import annotations

from bisect import bisect_left

from app.limits import NANOUSD
from app.metrics import CACHE_HITS, CACHE_MISSES, COMPLETION_TOKENS, COST, PROMPT_TOKENS, REQUESTS, RETRIES, SAVED, Metric

BOUNDS_S = tuple(0.001 * 2 ** (step / 2) for step in range(40))
"""Upper ends of a distribution's buckets, from 1 ms to 12 minutes, each 1.41 times the one before."""


class Row:
    """Running totals; they only grow."""

    __slots__ = (
        "cache_hits",
        "cache_misses",
        "completion_tokens",
        "cost_nanousd",
        "prompt_tokens",
        "requests",
        "retries",
        "saved_nanousd",
    )

    def __init__(self) -> None:
        self.requests = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.cost_nanousd = 0
        self.saved_nanousd = 0
        self.cache_hits = 0
        self.cache_misses = 0
        self.retries = 0

    def totals(self) -> dict[Metric, int]:
        """The totals by metric, with money in nano-dollars."""
        return {
            REQUESTS: self.requests,
            PROMPT_TOKENS: self.prompt_tokens,
            COMPLETION_TOKENS: self.completion_tokens,
            COST: self.cost_nanousd,
            SAVED: self.saved_nanousd,
            CACHE_HITS: self.cache_hits,
            CACHE_MISSES: self.cache_misses,
            RETRIES: self.retries,
        }


class Distribution:
    """How many times fell between which bounds, and their sums: a bucket's mean stands for each of its times, and no sum is lost."""

    __slots__ = ("_taken_counts", "_taken_sums", "counts", "sums_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sums_s = [0.0] * (len(BOUNDS_S) + 1)
        self._taken_counts = list(self.counts)
        self._taken_sums = list(self.sums_s)

    def add(self, time_s: float) -> None:
        bucket = bisect_left(BOUNDS_S, time_s)
        self.counts[bucket] += 1
        self.sums_s[bucket] += time_s

    def take(self) -> list[float]:
        """The times in milliseconds that were added since the last call."""
        taken: list[float] = []
        for bucket, (count, sum_s) in enumerate(zip(self.counts, self.sums_s, strict=True)):
            if new := count - self._taken_counts[bucket]:
                taken += [round((sum_s - self._taken_sums[bucket]) / new * 1000, 3)] * new
        self._taken_counts = list(self.counts)
        self._taken_sums = list(self.sums_s)
        return taken


def in_unit(metric: Metric, total: int) -> float:
    """A total in the unit that is shown: dollars for money."""
    return total / NANOUSD if metric in (COST, SAVED) else total
