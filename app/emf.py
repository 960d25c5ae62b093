"""CloudWatch's embedded metric format: log lines that CloudWatch makes metrics of, with no call to AWS and no agent.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.metrics import NAMESPACE, STAGE, Metric

MAX_VALUES = 100
"""Most values that a metric may have in a line."""
Value = float | Sequence[float]


def documents(values: Mapping[Metric, Value], stage: str, labels: Mapping[str, str], time_ms: int) -> Iterator[dict[str, Any]]:
    """Members of as many lines as it takes for these values, all of which belong to the same client, model or kind."""
    rest = dict(values)
    while rest:
        now: dict[Metric, Value] = {}
        later: dict[Metric, Value] = {}
        for metric, value in rest.items():
            if isinstance(value, Sequence):
                now[metric] = value[:MAX_VALUES]
                if len(value) > MAX_VALUES:
                    later[metric] = value[MAX_VALUES:]
            else:
                now[metric] = value
        yield _document(now, stage, labels, time_ms)
        rest = later


def _document(values: Mapping[Metric, Value], stage: str, labels: Mapping[str, str], time_ms: int) -> dict[str, Any]:
    by_dimensions: dict[tuple[str, ...], list[Metric]] = {}
    for metric in values:
        by_dimensions.setdefault(metric.dimensions, []).append(metric)
    directives = [
        {
            "Namespace": NAMESPACE,
            "Dimensions": metrics[0].dimension_sets,
            "Metrics": [{"Name": metric.name, "Unit": metric.unit} for metric in metrics],
        }
        for metrics in by_dimensions.values()
    ]
    return {
        "_aws": {"Timestamp": time_ms, "CloudWatchMetrics": directives},
        STAGE: stage,
        **labels,
        **{metric.name: value for metric, value in values.items()},
    }
