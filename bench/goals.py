"""What the gateway is to reach, and whether it did."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Parts = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Figures by part and server."""


@dataclass(frozen=True)
class Goal:
    name: str
    unit: str
    limit: float
    """What must be reached."""
    goal: float
    """What is aimed at."""
    measure: Callable[[Parts], float]
    more_is_better: bool = False

    def verdict(self, measured: float) -> str:
        sign = 1 if self.more_is_better else -1
        if sign * measured >= sign * self.goal:
            return "goal reached"
        return "within the limit" if sign * measured >= sign * self.limit else "missed"

    def result(self, parts: Parts) -> dict[str, object]:
        """The goal, what was measured, and the verdict."""
        described = {"name": self.name, "unit": self.unit, "limit": self.limit, "goal": self.goal, "more_is_better": self.more_is_better}
        try:
            measured = self.measure(parts)
        except KeyError as missing:
            return described | {"measured": None, "verdict": f"not measured: no {missing.args[0]} in this run"}
        return described | {"measured": measured, "verdict": self.verdict(measured)}


def _ratio(part: str, figure: str, peer: str) -> Callable[[Parts], float]:
    def measure(parts: Parts) -> float:
        return parts[part]["gateway"][figure] / parts[part][peer][figure]

    return measure


def _own(part: str, figure: str) -> Callable[[Parts], float]:
    return lambda parts: parts[part]["gateway"][figure]


GOALS = [
    Goal("requests a second, to LiteLLM's", "x", 35, 50, _ratio("plain", "requests_per_s", "litellm"), more_is_better=True),
    Goal("CPU of a request, to nginx's, both at their fastest", "x", 16, 10, _ratio("plain", "cpu_us", "nginx")),
    Goal("CPU of a request, to nginx's, both at 500 a second", "x", 16, 10, _ratio("paced", "cpu_us", "nginx")),
    Goal("cached requests a second, to LiteLLM's", "x", 60, 60, _ratio("cached", "requests_per_s", "litellm"), more_is_better=True),
    Goal("stream events a second, to LiteLLM's", "x", 100, 100, _ratio("stream", "chunks_per_s", "litellm"), more_is_better=True),
    Goal("added to an answer, median", "ms", 1.5, 1.5, _own("latency", "added_p50_ms")),
    Goal("added to the first event, median", "ms", 2, 2, _own("latency", "added_first_p50_ms")),
    Goal("memory at its peak", "MB", 100, 100, _own("memory", "peak_mb")),
    Goal("memory grown over the long run", "MB", 5, 1, _own("memory", "grown_mb")),
    Goal("start to ready", "s", 1.2, 0.6, _own("start", "start_s")),
]
