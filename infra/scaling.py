"""How many tasks the service has."""

from __future__ import annotations

from pulumi import ComponentResource, Output, ResourceOptions
from pulumi_aws import appautoscaling
from pulumi_aws.appautoscaling import (
    PolicyTargetTrackingScalingPolicyConfigurationArgs as Tracking,
    PolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationArgs as Customized,
    PolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationMetricArgs as Metric,
    PolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationMetricMetricStatArgs as Stat,
    PolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationMetricMetricStatMetricArgs as Source,
    PolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationMetricMetricStatMetricDimensionArgs as Dimension,
    PolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecificationArgs as Predefined,
)

from app.metrics import IN_FLIGHT
from infra.config.stage import Stage
from infra.service import Service
from infra.watch.series import emitted, in_task

OUT_COOLDOWN_S, IN_COOLDOWN_S = 60, 300
"""Fast out, because callers wait; slow in, because a task that was just started is soon needed again."""


class Scaling(ComponentResource):
    """Target tracking between the stage's bounds, on requests in flight in a task and on the tasks' CPU; the one that wants more wins.

    Requests here take from milliseconds to minutes, so that neither their rate nor the CPU says how much a task has to do: what is in
    flight does. Where the stage has busy hours, more tasks than usual stand by before the load comes.
    """

    def __init__(self, *, stage: Stage, service: Service, opts: ResourceOptions | None = None) -> None:
        super().__init__("gateway:scaling:Scaling", "scaling", None, opts)
        self._target = appautoscaling.Target(
            "tasks",
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=Output.concat("service/", service.cluster_name, "/", service.service_name),
            min_capacity=stage.min_tasks,
            max_capacity=stage.max_tasks,
            opts=ResourceOptions(parent=self, ignore_changes=["minCapacity"] if stage.busy_min_tasks else None),
        )
        cpu = Predefined(predefined_metric_type="ECSServiceAverageCPUUtilization")
        self._track("cpu", Tracking(target_value=stage.target_cpu_percent, predefined_metric_specification=cpu))
        in_flight = _in_flight_per_task(stage)
        self._track("in-flight", Tracking(target_value=stage.target_in_flight, customized_metric_specification=in_flight))
        if stage.busy_min_tasks:
            self._at("busy", stage.busy_from, stage.busy_min_tasks, stage)
            self._at("quiet", stage.busy_until, stage.min_tasks, stage)
        self.register_outputs({})

    def _track(self, name: str, tracking: Tracking) -> None:
        tracking.scale_out_cooldown, tracking.scale_in_cooldown = OUT_COOLDOWN_S, IN_COOLDOWN_S
        appautoscaling.Policy(
            name,
            policy_type="TargetTrackingScaling",
            service_namespace=self._target.service_namespace,
            scalable_dimension=self._target.scalable_dimension,
            resource_id=self._target.resource_id,
            target_tracking_scaling_policy_configuration=tracking,
            opts=ResourceOptions(parent=self),
        )

    def _at(self, name: str, schedule: str, min_tasks: int, stage: Stage) -> None:
        appautoscaling.ScheduledAction(
            name,
            name=f"{stage.label}-{name}",
            service_namespace=self._target.service_namespace,
            scalable_dimension=self._target.scalable_dimension,
            resource_id=self._target.resource_id,
            schedule=schedule,
            timezone=stage.busy_timezone,
            scalable_target_action=appautoscaling.ScheduledActionScalableTargetActionArgs(
                min_capacity=min_tasks, max_capacity=stage.max_tasks
            ),
            opts=ResourceOptions(parent=self),
        )


def _in_flight_per_task(stage: Stage) -> Customized:
    """The average over worker processes, each of which looks every second, times the workers of a task."""
    series = emitted(IN_FLIGHT, stage.name, "Average")
    dimensions = [Dimension(name=name, value=value) for name, value in series.dimensions.items()]
    source = Source(namespace=series.namespace, metric_name=series.name, dimensions=dimensions)
    worker = Metric(id="worker", metric_stat=Stat(metric=source, stat=series.stat), return_data=False)
    task = Metric(id="task", expression=in_task("worker", stage), label="Requests in flight in a task", return_data=True)
    return Customized(metrics=[worker, task])
