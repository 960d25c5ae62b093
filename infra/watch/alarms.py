"""The stage's alarms: what is told to whom, and when."""

from __future__ import annotations

from pulumi import ComponentResource, Output, ResourceOptions
from pulumi_aws import cloudwatch

from infra.balancer import Balancer
from infra.cache import Cache
from infra.config.stage import Stage
from infra.firewall import Firewall
from infra.logs import Logs
from infra.service import Service
from infra.watch.alarm import made
from infra.watch.alarms_app import from_app
from infra.watch.alarms_balancer import from_balancer
from infra.watch.alarms_cache import from_cache
from infra.watch.alarms_tasks import from_ecs
from infra.watch.series import Series
from infra.watch.stops import Stops
from infra.watch.topic import Topic

ERRORS, CACHE_LOST = "LoggedErrors", "CacheLost"
LOGGED = {
    ERRORS: '{ ($.level = "error") || ($.level = "critical") }',
    CACHE_LOST: '{ ($.event = "valkey_lost") || ($.event = "valkey_unreachable") }',
}
"""Which lines of the app's log are counted, by metric."""


class Alarms(ComponentResource):
    """All other alarms, about balancer, firewall, tasks, app and cache.

    They wait for the service: some are on when nothing runs, and nothing does before it is there. Every alarm tells the stage's topic;
    where nobody listens there, the console shows them all the same.
    """

    arns: list[Output[str]]

    def __init__(  # noqa: PLR0913  each is something that an alarm is about
        self,
        *,
        stage: Stage,
        topic: Topic,
        balancer: Balancer,
        firewall: Firewall,
        service: Service,
        stops: Stops,
        cache: Cache,
        logs: Logs,
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("gateway:alarms:Alarms", "alarms", None, opts)
        after = ResourceOptions(parent=self, depends_on=[service])
        described = [
            *from_balancer(stage, balancer, firewall),
            *from_ecs(stage, service, stops),
            *from_app(stage, self._logged(stage, logs, ERRORS)),
            *from_cache(stage, cache, self._logged(stage, logs, CACHE_LOST)),
        ]
        self.arns = [alarm.arn for alarm in made(described, stage=stage, topic=topic, opts=after)]
        self.register_outputs({})

    def _logged(self, stage: Stage, logs: Logs, metric: str) -> Series:
        """Lines of the app's log, counted. Only without dimensions a metric has zeros, so its namespace tells stages apart."""
        counted = cloudwatch.LogMetricFilterMetricTransformationArgs(
            name=metric, namespace=stage.label, value="1", default_value="0", unit="Count"
        )
        cloudwatch.LogMetricFilter(
            metric,
            name=f"{stage.label}-{metric}",
            log_group_name=logs.app_name,
            pattern=LOGGED[metric],
            metric_transformation=counted,
            opts=ResourceOptions(parent=self),
        )
        return Series(stage.label, metric, "Sum", {})
