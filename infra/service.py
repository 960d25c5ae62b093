"""The service: the cluster, the task that it runs and how it is kept running."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi import ComponentResource, CustomTimeouts, Input, Output, ResourceOptions, RunError
from pulumi_aws import ecs

from app.settings import SettingsError, check_names, environment
from infra import capacity, task
from infra.balancer import Balancer
from infra.config.stage import Stage
from infra.firewall import Firewall
from infra.groups import Groups
from infra.image import Image
from infra.logs import Logs
from infra.network import Network
from infra.roles import Roles
from infra.watch.deployment_alarms import DeploymentAlarms

GRACE_S = 60
"""How long a new task may fail the balancer's health checks."""


class Service(ComponentResource):
    """An ECS cluster with a Fargate service on ARM64, in the private subnets.

    A deployment starts the new tasks before it stops the old ones. When they do not come up, or callers get 5xx or tasks become unhealthy
    until some minutes after, ECS goes back to the last revision that worked. Pulumi waits for the end of it. The number of tasks belongs
    to autoscaling, so Pulumi leaves it alone.
    """

    cluster_arn: Output[str]
    cluster_name: Output[str]
    service_name: Output[str]

    def __init__(  # noqa: PLR0913  a service is where everything meets
        self,
        *,
        stage: Stage,
        image: Image,
        settings: Mapping[str, Input[Any]],
        roles: Roles,
        logs: Logs,
        network: Network,
        groups: Groups,
        balancer: Balancer,
        firewall: Firewall,
        alarms: DeploymentAlarms,
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("gateway:service:Service", "service", None, opts)
        child = ResourceOptions(parent=self)
        cluster = ecs.Cluster(
            "gateway",
            name=stage.label,
            settings=[ecs.ClusterSettingArgs(name="containerInsights", value="enabled")],
            opts=child,
        )
        providers = ecs.ClusterCapacityProviders(
            "gateway", cluster_name=cluster.name, capacity_providers=[capacity.FARGATE, capacity.SPOT], opts=child
        )
        definition = ecs.TaskDefinition(
            "gateway",
            family=stage.label,
            requires_compatibilities=["FARGATE"],
            network_mode="awsvpc",
            cpu=str(stage.task_cpu),
            memory=str(stage.task_memory_mib),
            runtime_platform=ecs.TaskDefinitionRuntimePlatformArgs(cpu_architecture="ARM64", operating_system_family="LINUX"),
            execution_role_arn=roles.execution_arn,
            task_role_arn=roles.task_arn,
            volumes=[ecs.TaskDefinitionVolumeArgs(name=task.SCRATCH)],
            container_definitions=_containers(stage, image.ref, settings, logs.app_name),
            opts=child,
        )
        service = ecs.Service(
            "gateway",
            cluster=cluster.arn,
            task_definition=definition.arn,
            capacity_provider_strategies=capacity.strategies(stage.min_tasks, stage.spot_percent),
            force_new_deployment=True,  # or AWS refuses another strategy; a change of the service then always rolls its tasks
            desired_count=stage.min_tasks,
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            deployment_circuit_breaker=ecs.ServiceDeploymentCircuitBreakerArgs(enable=True, rollback=True),
            alarms=ecs.ServiceAlarmsArgs(enable=True, rollback=True, alarm_names=alarms.names),
            wait_for_steady_state=True,
            health_check_grace_period_seconds=GRACE_S,
            availability_zone_rebalancing="ENABLED",
            enable_execute_command=False,
            enable_ecs_managed_tags=True,
            propagate_tags="SERVICE",
            network_configuration=ecs.ServiceNetworkConfigurationArgs(
                subnets=network.private_subnet_ids, security_groups=[groups.tasks_id], assign_public_ip=False
            ),
            load_balancers=[
                ecs.ServiceLoadBalancerArgs(
                    target_group_arn=balancer.target_group_arn, container_name=task.CONTAINER, container_port=task.PORT
                )
            ],
            opts=ResourceOptions(
                parent=self,
                depends_on=[providers, network, groups, firewall, *balancer.listeners, *roles.policies],
                ignore_changes=["desiredCount"],
                custom_timeouts=CustomTimeouts(create="30m", update="30m"),
            ),
        )
        self.cluster_arn, self.cluster_name, self.service_name = cluster.arn, cluster.name, service.name
        self.register_outputs({"cluster": self.cluster_name, "service": self.service_name})


def settings_of(stage: Stage) -> dict[str, Any]:
    """The app's settings that follow from the stage alone."""
    return {
        "stage": stage.name,
        "openai_base_url": stage.openai_base_url,
        "openai_organization": stage.openai_organization,
        "openai_project": stage.openai_project,
        "models": stage.models,
        "client_requests_per_minute": stage.client_requests_per_minute,
        "client_tokens_per_minute": stage.client_tokens_per_minute,
        "client_streams": stage.client_streams,
        "client_usd_per_day": stage.client_usd_per_day,
        "client_usd_per_month": stage.client_usd_per_month,
        "stage_requests_per_minute": stage.openai_requests_per_minute,
        "stage_tokens_per_minute": stage.openai_tokens_per_minute,
        "budget_usd_per_month": stage.monthly_budget_usd,
        "ladder": stage.spend_ladder,
        "default_output_tokens": stage.default_output_tokens,
        "max_output_tokens": stage.max_output_tokens,
        "moderate": stage.moderate_input,
        "redact": stage.redact_prompts,
        "batch_ms": stage.embedding_batch_milliseconds,
        "cache_ttl_s": stage.cache_ttl_seconds,
        "secret_ttl_s": stage.secret_ttl_seconds,
        "request_timeout_s": stage.timeouts.request_s,
        "ping_s": stage.timeouts.ping_s,
        "keep_alive_s": stage.timeouts.keep_alive_s,
        "drain_s": stage.timeouts.drain_s,
        "workers": stage.worker_processes,
    }


def _containers(stage: Stage, image: Output[str], settings: Mapping[str, Input[Any]], log_group: Output[str]) -> Output[str]:
    known = settings_of(stage)
    try:
        check_names([*known, *settings])
        environment(known)  # what can be refused now is refused before any resource exists
    except SettingsError as error:
        raise RunError("\n  ".join(["The app refuses its settings:", *error.problems])) from None
    return Output.all(image=image, log_group=log_group, settings=dict(settings)).apply(
        lambda made: task.definition(
            image=made["image"],
            environment={"AWS_REGION": stage.region, **environment(known | made["settings"])},
            stop_s=stage.timeouts.stop_s,
            log_group=made["log_group"],
            region=stage.region,
        )
    )
