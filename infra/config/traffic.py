"""What a stage expects to be asked: the base of its estimate of costs and of the bound on its tasks. Only arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass

MINUTE_S, HOUR_S = 60, 3600
MONTH_H = 730
DAYS = MONTH_H / 24
BUSY_HOURS = 12
"""The part of a day in which everything is asked: at night hardly anybody is there, and an even day would need too few tasks."""


@dataclass(frozen=True)
class Traffic:
    """An average day. An answer from the cache takes no time and no tokens at OpenAI."""

    requests_per_day: int
    prompt_tokens: int
    output_tokens: int
    seconds: int
    cache_hit_percent: int

    @property
    def tokens(self) -> int:
        """Tokens of a request that OpenAI answers."""
        return self.prompt_tokens + self.output_tokens

    @property
    def requests(self) -> float:
        """Requests in a month."""
        return self.requests_per_day * DAYS

    @property
    def hits(self) -> float:
        """Requests in a month that the cache answers."""
        return self.requests * self.cache_hit_percent / 100

    @property
    def misses(self) -> float:
        """Requests in a month that OpenAI answers."""
        return self.requests * (100 - self.cache_hit_percent) / 100

    @property
    def in_flight(self) -> float:
        """Requests in flight in a busy hour, by Little's law: as many as arrive in a second, times the seconds that each takes."""
        return self.misses / (DAYS * BUSY_HOURS * HOUR_S) * self.seconds

    def tokens_per_minute(self, in_flight: int) -> float:
        """Tokens a minute at OpenAI while that many requests are in flight."""
        return in_flight * MINUTE_S / self.seconds * self.tokens

    def fed(self, tokens_per_minute: int, in_flight: int) -> int:
        """Most tasks, with that many requests in flight each, that a limit of tokens a minute at OpenAI keeps busy."""
        return math.ceil(tokens_per_minute / self.tokens_per_minute(in_flight))


def shares(mix: str, models: tuple[str, ...]) -> dict[str, float]:
    """The share of each model, as 0 to 1; where no mix is given, all have the same."""
    if not mix:
        return dict.fromkeys(models, 1 / len(models))
    return {model: int(percent) / 100 for model, _, percent in (part.rpartition(":") for part in mix.split(","))}
