"""What a stage expects to be asked: the base of its estimate of costs and of the bound on its tasks. Only arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass

MINUTE_S = 60


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
