"""What a CloudWatch dashboard consists of: lines, widgets, and where they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi import Input

from app.metrics import NAMESPACE, STAGE, Metric
from infra.watch.series import Series

Widget = dict[str, Any]
Line = list[Any]
PERIOD_S = 60
WIDTH, HEIGHT = 24, 6
"""A dashboard is 24 units wide."""


def line(series: Series, label: str, **options: Any) -> Line:
    """A series as a line; options are those of CloudWatch."""
    dimensions = [part for name, value in series.dimensions.items() for part in (name, value)]
    return [series.namespace, series.name, *dimensions, {"stat": series.stat, "label": label, **options}]


def hidden(series: Series, key: str) -> Line:
    """A series that only expressions use, by its key."""
    return line(series, key, id=key, visible=False)


def computed(expression: str, label: str, **options: Any) -> Line:
    """A line that metric maths makes of others."""
    return [{"expression": expression, "label": label, **options}]


def each(metric: Metric, by: str, stage: str, stat: str) -> Line:
    """A line for each client, model or kind that there is in the app's metric, whichever those are.

    Raises:
        ValueError: the app does not tell the metric apart by that.
    """
    if by not in metric.dimensions:
        raise ValueError(f"{metric.name} by {by}: the app tells it apart by {metric.dimensions}")
    found = f'{{{NAMESPACE},{STAGE},{by}}} MetricName="{metric.name}" {STAGE}="{stage}"'
    return computed(f"SEARCH('{found}', '{stat}', {PERIOD_S})", f"${{PROP('Dim.{by}')}}")


def graph(title: str, lines: Sequence[Line], region: str, *, unit: str, **options: Any) -> Widget:
    """A widget of lines over time, from zero up; options are those of CloudWatch."""
    axis = {"left": {"min": 0, "showUnits": False, "label": unit}}
    return _metrics(title, lines, region, {"view": "timeSeries", "stacked": False, "yAxis": axis, **options})


def numbers(title: str, lines: Sequence[Line], region: str, **options: Any) -> Widget:
    """A widget of the latest values, or, with `setPeriodToTimeRange`, of one for the whole time."""
    return _metrics(title, lines, region, {"view": "singleValue", **options})


def marked(value: float, label: str) -> Mapping[str, Any]:
    """The option of a graph that draws a level to compare with."""
    return {"annotations": {"horizontal": [{"value": value, "label": label}]}}


def states(title: str, arns: Sequence[Input[str]]) -> Widget:
    """A widget of alarms, those that are on first."""
    return {"type": "alarm", "properties": {"title": title, "alarms": list(arns), "sortBy": "stateUpdatedTimestamp"}}


def text(markdown: str) -> Widget:
    return {"type": "text", "properties": {"markdown": markdown}}


def placed(rows: Sequence[Sequence[Widget]]) -> list[Widget]:
    """The widgets with their places: those of a row share its width evenly."""
    return [
        widget | {"x": place * (WIDTH // len(row)), "y": number * HEIGHT, "width": WIDTH // len(row), "height": HEIGHT}
        for number, row in enumerate(rows)
        for place, widget in enumerate(row)
    ]


def _metrics(title: str, lines: Sequence[Line], region: str, options: Mapping[str, Any]) -> Widget:
    return {"type": "metric", "properties": {"title": title, "region": region, "period": PERIOD_S, "metrics": list(lines), **options}}
