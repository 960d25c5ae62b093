"""A service as it was deployed, read back out of the emulated AWS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.errors import SandboxError

DEFAULT_STOP_TIMEOUT_S = 30


Clients = Callable[[str], Any]


@dataclass(frozen=True)
class Service:
    """What was deployed. `secrets` are variables whose values stand in Secrets Manager, by the ARNs that ECS takes."""

    name: str
    task_definition: str
    count: int
    environment: Mapping[str, str]
    secrets: Mapping[str, str]
    role: str
    log_group: str
    stop_timeout_s: float


def read_service(clients: Clients, cluster: str, service: str) -> Service:
    """Read a service, its task definition and its scaling out of AWS.

    Raises:
        SandboxError: there is no such service.
    """
    found = clients("ecs").describe_services(cluster=cluster, services=[service])["services"]
    if not found:
        raise SandboxError(f"There is no service {service} in the cluster {cluster}")
    definition = clients("ecs").describe_task_definition(taskDefinition=found[0]["taskDefinition"])["taskDefinition"]
    balanced = {group.get("containerName") for group in found[0].get("loadBalancers", [])}
    containers = definition["containerDefinitions"]
    container = next((item for item in containers if item["name"] in balanced), containers[0])
    resource = f"service/{cluster.rpartition('/')[2]}/{found[0]['serviceName']}"
    scaling = clients("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[resource])
    return Service(
        name=found[0]["serviceName"],
        task_definition=definition["taskDefinitionArn"],
        count=max([found[0]["desiredCount"], *(target["MinCapacity"] for target in scaling["ScalableTargets"])]),
        environment={item["name"]: item["value"] for item in container.get("environment", [])},
        secrets={item["name"]: item["valueFrom"] for item in container.get("secrets", [])},
        role=definition.get("taskRoleArn", ""),
        log_group=container.get("logConfiguration", {}).get("options", {}).get("awslogs-group", ""),
        stop_timeout_s=float(container.get("stopTimeout", DEFAULT_STOP_TIMEOUT_S)),
    )
