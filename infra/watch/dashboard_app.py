"""The part of the dashboard that the app's own metrics are drawn on: each of them stands on it."""

from __future__ import annotations

from typing import Any

from app.metrics import (
    BUDGET_SHARE,
    CACHE_HITS,
    CACHE_MISSES,
    CLIENT,
    COMPLETION_TOKENS,
    COST,
    ERRORS,
    IN_FLIGHT,
    KEY_AGE,
    KIND,
    LATENCY,
    MODEL,
    PROMPT_TOKENS,
    REQUESTS,
    RETRIES,
    SAVED,
    THROTTLED,
    TIME_TO_FIRST_TOKEN,
    Metric,
)
from infra.config.stage import Stage
from infra.watch.alarm import DAY_S
from infra.watch.graphs import Line, Widget, computed, each, graph, hidden, line, marked, numbers
from infra.watch.series import emitted, in_task

DAYS = 30
LAST_DAYS: dict[str, Any] = {"start": f"-P{DAYS}D", "setPeriodToTimeRange": True}
"""One value for that time, whatever the page shows otherwise."""


class AppWidgets:
    """The widgets of a stage, by what they are about.

    Clients, models and kinds are searched for as the page is opened: new ones are on it by themselves.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage, self._region = stage, stage.region

    def now(self) -> list[Widget]:
        """What is spent, and how old the key is."""
        budget, most_days = self._stage.monthly_budget_usd, self._stage.max_key_age_days
        month = [
            self._total(BUDGET_SHARE, f"% of {budget} dollars", "Maximum", id="share"),
            computed(f"share / 100 * {budget}", "dollars"),
        ]
        days = [self._hidden(KEY_AGE, "age", "Maximum"), computed(f"age / {DAY_S}", "days")]
        spent = [self._total(COST, "spent"), self._total(SAVED, "saved by the cache")]
        return [
            numbers(f"Dollars at OpenAI, {DAYS} days", spent, self._region, **LAST_DAYS),
            *([numbers("Dollars at OpenAI, this month", month, self._region)] if budget else ()),
            numbers(f"Age of the OpenAI key, of {most_days} days", days, self._region),
        ]

    def traffic(self) -> list[Widget]:
        return [
            self._stacked("Requests by client", REQUESTS, CLIENT),
            self._stacked("Requests by model", REQUESTS, MODEL),
            self._stacked("Errors by kind", ERRORS, KIND),
        ]

    def speed(self) -> list[Widget]:
        """The median and the slowest hundredth."""
        return [
            graph(
                f"{what}, {stat}",
                [self._total(metric, "all", stat), self._each(metric, MODEL, stat)],
                self._region,
                unit="milliseconds",
            )
            for metric, what in ((LATENCY, "Complete answers"), (TIME_TO_FIRST_TOKEN, "First token"))
            for stat in ("p50", "p99")
        ]

    def money(self) -> list[Widget]:
        unit = "dollars a minute"
        return [
            self._stacked("Dollars by model", COST, MODEL, unit),
            self._stacked("Dollars by client", COST, CLIENT, unit),
            self._stacked("Dollars saved by model", SAVED, MODEL, unit),
            graph("Month's budget", [self._total(BUDGET_SHARE, "spent", "Maximum")], self._region, unit="%", **marked(100, "all of it")),
        ]

    def tokens(self) -> list[Widget]:
        """And how many of the requests that could be were answered from the cache."""
        rate = "100 * FILL(hits, 0) / (FILL(hits, 0) + FILL(misses, 0))"
        asked = [self._hidden(CACHE_HITS, "hits"), self._hidden(CACHE_MISSES, "misses"), computed(rate, "hits")]
        return [
            self._stacked("Prompt tokens by model", PROMPT_TOKENS, MODEL),
            self._stacked("Completion tokens by model", COMPLETION_TOKENS, MODEL),
            graph("Cache hits", asked, self._region, unit="% of requests"),
        ]

    def limits(self) -> list[Widget]:
        """What OpenAI and our own limits refuse, and what a task has to do."""
        worker = self._hidden(IN_FLIGHT, "worker", "Average")
        task = computed(in_task("worker", self._stage), "requests in flight in a task")
        target = marked(self._stage.target_in_flight, "targetInFlight: scaling aims at it")
        return [
            self._stacked("429 by kind", THROTTLED, KIND),
            self._stacked("Retries by model", RETRIES, MODEL),
            graph("In flight", [worker, task], self._region, unit="requests", **target),
        ]

    def _total(self, metric: Metric, label: str, stat: str = "Sum", **options: Any) -> Line:
        return line(emitted(metric, self._stage.name, stat), label, **options)

    def _hidden(self, metric: Metric, key: str, stat: str = "Sum") -> Line:
        return hidden(emitted(metric, self._stage.name, stat), key)

    def _each(self, metric: Metric, by: str, stat: str = "Sum") -> Line:
        return each(metric, by, self._stage.name, stat)

    def _stacked(self, title: str, metric: Metric, by: str, unit: str = "a minute") -> Widget:
        return graph(title, [self._each(metric, by)], self._region, unit=unit, stacked=True)
