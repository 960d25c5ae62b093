"""A series of values in CloudWatch, as alarms and the dashboard name it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pulumi import Input

from app.metrics import NAMESPACE, STAGE, Metric
from infra.config.stage import Stage


@dataclass(frozen=True)
class Series:
    """A metric with its dimensions, and the statistic that makes a value for each period of it."""

    namespace: str
    name: str
    stat: str
    dimensions: Mapping[str, Input[str]]


def in_task(worker: str, stage: Stage) -> str:
    """The expression that makes what a task has of `worker`, the average in a worker process."""
    return f"{worker} * {stage.worker_processes}"


def emitted(metric: Metric, stage: str, stat: str, **further: str) -> Series:
    """A series of the app's.

    Raises:
        ValueError: the app has no such one, and nothing would ever be in it.
    """
    if [STAGE, *further] not in metric.dimension_sets:
        raise ValueError(f"{metric.name} of {', '.join([STAGE, *further])}: the app emits {metric.dimension_sets}")
    return Series(NAMESPACE, metric.name, stat, {STAGE: stage, **further})
