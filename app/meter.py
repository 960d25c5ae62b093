"""What the gateway did, counted: kept in memory, written as CloudWatch metrics every few seconds, shown to Prometheus when it asks."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from app import emf, log
from app.metrics import CLIENT, ERRORS, KIND, LATENCY, MODEL, THROTTLED, TIME_TO_FIRST_TOKEN, Metric
from app.prometheus import Sample, exposition
from app.series import Distribution, Row, in_unit
from app.usage import Usage

SAMPLE_S = 1.0
SAMPLES = 15
"""Looks at the gauges between two times that metrics are written: every 15 seconds."""
MAX_ROWS, MAX_KINDS = 1000, 100
"""Most pairs of client and model, and most kinds, that are told apart; later ones count together."""
NONE, OTHER = "-", "(other)"
"""Stand for a client or model that is not known, and for those above the limit; no client and no model has such a name."""


class Measured(Protocol):
    """What is measured of a request: its entry in the log."""

    client: str | None
    model: str | None
    started: float
    first_byte: float | None
    ended: float | None
    error: str | None
    cache: str | None
    usage: Usage | None
    cost_nanousd: int
    saved_nanousd: int

    @property
    def retries(self) -> int: ...


class Meter:
    """Counters, distributions and gauges of one worker process."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._rows: dict[tuple[str | None, str | None], Row] = {}
        self._written: dict[tuple[str | None, str | None], dict[Metric, int]] = {}
        self._times: dict[str | None, tuple[Distribution, Distribution]] = {}
        self._kinds: dict[Metric, Counter[str]] = {ERRORS: Counter(), THROTTLED: Counter()}
        self._written_kinds: dict[Metric, Counter[str]] = {ERRORS: Counter(), THROTTLED: Counter()}
        self._gauges: dict[Metric, Callable[[], float | None]] = {}
        self._samples: dict[Metric, list[float]] = {}
        self._unwritten: Iterator[dict[str, Any]] = iter(())
        self._task: asyncio.Task[None] | None = None

    def record(self, request: Measured) -> None:
        """Count a request that has ended. Tokens and times are those of a model's answer: one from the cache has neither."""
        model = request.model
        row = self._rows.get((request.client, model)) or self._row(request.client, model)
        row.requests += 1
        if request.error is not None:
            self._count(ERRORS, request.error)
        if request.retries:
            row.retries += request.retries
        if request.cache == "hit":
            row.cache_hits += 1
            row.saved_nanousd += request.saved_nanousd
            return
        if request.cache is not None:
            row.cache_misses += 1
        usage = request.usage
        if usage is not None:
            row.prompt_tokens += usage.prompt_tokens
            row.completion_tokens += usage.completion_tokens
        row.cost_nanousd += request.cost_nanousd
        if model is None:
            return
        latency, first = self._times.get(model) or self._distributions(model)
        if request.first_byte is not None:
            first.add(request.first_byte - request.started)
        if request.error is None and request.ended is not None:
            latency.add(request.ended - request.started)

    def throttled(self, kind: str) -> None:
        """Count a 429 by its kind, one of `metrics.THROTTLE_KINDS`: also one that a retry or a fallback made good."""
        self._count(THROTTLED, kind)

    def watch(self, gauge: Metric, read: Callable[[], float | None]) -> None:
        """Read a gauge every second from now on, in its Prometheus unit: a share is 1 when all of it is used. None: not known yet."""
        self._gauges[gauge] = read

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """Write what was not yet written."""
        if self._task:
            self._task.cancel()
        for document in self._unwritten:
            log.info("metrics", **document)
        self.sample()
        self.flush()

    def sample(self) -> None:
        """Read the gauges."""
        for metric, read in self._gauges.items():
            value = read()
            if value is not None:
                self._samples.setdefault(metric, []).append(round(value * 100, 3) if metric.unit == "Percent" else round(value, 3))

    def flush(self) -> None:
        """Write what has happened since the last time, as metrics for CloudWatch."""
        for document in self._documents():
            log.info("metrics", **document)

    def prometheus(self) -> str:
        """All totals and gauges in Prometheus' text format."""
        return exposition(self._stage, self._all())

    async def _run(self) -> None:
        while True:
            try:
                await self._period()
            except Exception as failure:  # noqa: BLE001  one gauge that cannot be read is no reason to measure nothing from then on
                log.error("metrics_failed", **log.where(failure))

    async def _period(self) -> None:
        for _ in range(SAMPLES):
            await asyncio.sleep(SAMPLE_S)
            self.sample()
        self._unwritten = self._documents()
        for document in self._unwritten:
            log.info("metrics", **document)
            await asyncio.sleep(0)  # after a busy time there are hundreds of lines: no request waits for more than one

    def _documents(self) -> Iterator[dict[str, Any]]:
        time_ms = time.time_ns() // 1_000_000
        for values, labels in self._news():
            yield from emf.documents(values, self._stage, labels, time_ms)

    def _news(self) -> Iterator[tuple[dict[Metric, emf.Value], dict[str, str]]]:
        """What is new, by what it belongs to; each is taken as written before it is given out, as requests go on in between."""
        for key, row in list(self._rows.items()):
            totals, before = row.totals(), self._written.get(key, {})
            self._written[key] = totals
            values: dict[Metric, emf.Value] = {
                metric: in_unit(metric, new) for metric, total in totals.items() if (new := total - before.get(metric, 0))
            }
            yield values, {CLIENT: key[0] or NONE, MODEL: key[1] or NONE}
        for model, (latency, first) in list(self._times.items()):
            times = {LATENCY: latency.take(), TIME_TO_FIRST_TOKEN: first.take()}
            yield {metric: taken for metric, taken in times.items() if taken}, {MODEL: model or NONE}
        for metric, kinds in self._kinds.items():
            new_kinds = kinds - self._written_kinds[metric]
            self._written_kinds[metric] = kinds.copy()
            for kind, count in new_kinds.items():
                yield {metric: count}, {KIND: kind}
        samples, self._samples = self._samples, {}
        yield {metric: values if len(set(values)) > 1 else values[0] for metric, values in samples.items()}, {}

    def _all(self) -> Iterator[Sample]:
        for key, row in self._rows.items():
            labels = {CLIENT: key[0] or NONE, MODEL: key[1] or NONE}
            yield from ((metric, labels, in_unit(metric, total)) for metric, total in row.totals().items())
        for model, (latency, first) in self._times.items():
            yield LATENCY, {MODEL: model or NONE}, latency
            yield TIME_TO_FIRST_TOKEN, {MODEL: model or NONE}, first
        for metric, kinds in self._kinds.items():
            yield from ((metric, {KIND: kind}, count) for kind, count in kinds.items())
        for metric, read in self._gauges.items():
            if (value := read()) is not None:
                yield metric, {}, value

    def _row(self, client: str | None, model: str | None) -> Row:
        key = (client, model) if len(self._rows) < MAX_ROWS else (OTHER, OTHER)
        return self._rows.setdefault(key, Row())

    def _distributions(self, model: str) -> tuple[Distribution, Distribution]:
        key = model if len(self._times) < MAX_ROWS else OTHER
        return self._times.setdefault(key, (Distribution(), Distribution()))

    def _count(self, metric: Metric, kind: str) -> None:
        kinds = self._kinds[metric]
        kinds[kind if kind in kinds or len(kinds) < MAX_KINDS else OTHER] += 1
