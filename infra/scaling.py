"""How many tasks the service has."""

from __future__ import annotations

from pulumi import ComponentResource, Output, ResourceOptions
from pulumi_aws import appautoscaling

from infra.balancer import Balancer
from infra.service import Service
from infra.stage import Stage

OUT_COOLDOWN_S, IN_COOLDOWN_S = 60, 300
"""Fast out, because callers wait; slow in, because a task that was just started is soon needed again."""


class Scaling(ComponentResource):
    """Target tracking between the stage's bounds, on the tasks' CPU and on requests for each task; the one that wants more tasks wins."""

    def __init__(self, *, stage: Stage, service: Service, balancer: Balancer, opts: ResourceOptions | None = None) -> None:
        super().__init__("gateway:scaling:Scaling", "scaling", None, opts)
        self._target = appautoscaling.Target(
            "tasks",
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=Output.concat("service/", service.cluster_name, "/", service.service_name),
            min_capacity=stage.min_tasks,
            max_capacity=stage.max_tasks,
            opts=ResourceOptions(parent=self),
        )
        self._track("cpu", stage.target_cpu_percent, "ECSServiceAverageCPUUtilization")
        self._track("requests", stage.target_requests_per_minute, "ALBRequestCountPerTarget", balancer.resource_label)
        self.register_outputs({})

    def _track(self, name: str, value: int, metric: str, label: Output[str] | None = None) -> None:
        appautoscaling.Policy(
            name,
            policy_type="TargetTrackingScaling",
            service_namespace=self._target.service_namespace,
            scalable_dimension=self._target.scalable_dimension,
            resource_id=self._target.resource_id,
            target_tracking_scaling_policy_configuration=appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationArgs(
                target_value=value,
                predefined_metric_specification=appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecificationArgs(
                    predefined_metric_type=metric, resource_label=label
                ),
                scale_out_cooldown=OUT_COOLDOWN_S,
                scale_in_cooldown=IN_COOLDOWN_S,
            ),
            opts=ResourceOptions(parent=self),
        )
