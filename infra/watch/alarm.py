"""An alarm, as it is described and as it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pulumi import Output, ResourceOptions
from pulumi_aws import cloudwatch

from infra.config.stage import Stage
from infra.watch.series import Series
from infra.watch.topic import Topic

RUNBOOK = "docs/runbook.md"
MINUTE_S, FIVE_MINUTES_S, QUARTER_HOUR_S, HOUR_S, DAY_S = 60, 300, 900, 3600, 86_400


class Silence(StrEnum):
    """What it means when there is no value."""

    WELL = "notBreaching"
    """The metric is written only when something happens, so nothing did."""
    WRONG = "breaching"
    """The metric is always written, so what writes it is gone."""
    KEEP = "ignore"
    """It says nothing either way: what was true before still is."""
    UNKNOWN = "missing"
    """Whether it is well cannot be said, and the console says just that."""


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """When to tell somebody, and what. `name` is its section in the runbook, too.

    With one series its values are compared with the threshold; with several, what the last of the `expressions` makes of them, which may
    use the series and the expressions before it by their names; those are ids in AWS, which begin in lower case.
    """

    name: str
    means: str
    look: str
    series: Mapping[str, Series]
    expressions: Mapping[str, str] = field(default_factory=dict)
    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    """Exactly one of the three, in the series' unit."""
    period_s: int
    periods: int = 1
    of: int | None = None
    """How many of the periods it takes, and how many are looked at; unset, as many."""
    silence: Silence
    urgent: bool
    """Whether somebody must act now, at night too."""
    tells_end: bool = True
    """Whether the end of it is news. Where it counts what happened, it only means that it did not happen again."""

    @property
    def description(self) -> str:
        """What a mail says: how urgent, what it means, where to look, where to read on."""
        when = "Act now." if self.urgent else "Look into it today."
        return f"{when} {self.means} Look at {self.look}. Runbook: {RUNBOOK}#{self.name}"

    def compared(self) -> dict[str, Any]:
        """The comparison in AWS's words."""
        operators = {"GreaterThanThreshold": self.above, "GreaterThanOrEqualToThreshold": self.at_least, "LessThanThreshold": self.below}
        ((operator, threshold),) = ((name, value) for name, value in operators.items() if value is not None)
        return {"comparison_operator": operator, "threshold": float(threshold)}

    def measured(self) -> dict[str, Any]:
        """What is compared, in AWS's words."""
        if not self.expressions:
            (only,) = self.series.values()
            stat = "extended_statistic" if only.stat.startswith("p") else "statistic"
            return {
                "namespace": only.namespace,
                "metric_name": only.name,
                "dimensions": dict(only.dimensions),
                stat: only.stat,
                "period": self.period_s,
            }
        *_, result = self.expressions
        queries = [
            cloudwatch.MetricAlarmMetricQueryArgs(id=name, metric=self._metric(series), return_data=False)
            for name, series in self.series.items()
        ]
        queries += [
            cloudwatch.MetricAlarmMetricQueryArgs(id=name, expression=text, label=name, return_data=name == result)
            for name, text in self.expressions.items()
        ]
        return {"metric_queries": queries}

    def _metric(self, series: Series) -> cloudwatch.MetricAlarmMetricQueryMetricArgs:
        return cloudwatch.MetricAlarmMetricQueryMetricArgs(
            namespace=series.namespace,
            metric_name=series.name,
            dimensions=dict(series.dimensions),
            stat=series.stat,
            period=self.period_s,
        )


def made(alarms: Sequence[Alarm], *, stage: Stage, topic: Topic, opts: ResourceOptions) -> list[cloudwatch.MetricAlarm]:
    """The alarms in CloudWatch; each tells the stage's topic."""
    told: list[Output[str]] = [topic.arn]
    return [
        cloudwatch.MetricAlarm(
            alarm.name,
            name=f"{stage.label}-{alarm.name}",
            alarm_description=alarm.description,
            evaluation_periods=alarm.of or alarm.periods,
            datapoints_to_alarm=alarm.periods,
            treat_missing_data=alarm.silence,
            alarm_actions=told,
            ok_actions=told if alarm.tells_end else [],
            opts=opts,
            **alarm.compared(),
            **alarm.measured(),
        )
        for alarm in alarms
    ]


def share(part: str, whole: str, least: int) -> str:
    """An expression for how much of `whole` is `part`, in percent; nothing as long as `whole` is less than `least`.

    Of a handful of requests one that failed is a large share, and no reason to wake anybody.
    """
    return f"IF({whole} >= {least}, 100 * {part} / {whole}, 0)"
