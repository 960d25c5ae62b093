"""The service and its tasks, apart from their container."""

from __future__ import annotations

from collections.abc import Iterator

from policies.policy import Policy, at_least, equals, every, refused
from policies.stack import Resource, Stack

LEAST_TASKS = 2


def measured(cluster: Resource, _stack: Stack) -> Iterator[str]:
    settings = {item["name"]: item["value"] for item in cluster.known("settings") or []}
    if settings.get("containerInsights") not in ("enabled", "enhanced"):
        yield f"containerInsights = {settings.get('containerInsights')!r}; allowed: 'enabled' or 'enhanced'"


def on_fargate(service: Resource, _stack: Stack) -> Iterator[str]:
    strategies = service.known("capacityProviderStrategies") or []
    providers = {strategy["capacityProvider"] for strategy in strategies}
    if service.known("launchType") != "FARGATE" and (not providers or not providers <= {"FARGATE", "FARGATE_SPOT"}):
        yield f"launchType = {service.known('launchType')!r}; allowed: 'FARGATE', or its capacity providers"


def roles_apart(task: Resource, _stack: Stack) -> Iterator[str]:
    execution, running = task.known("executionRoleArn"), task.known("taskRoleArn")
    if not execution or not running or execution == running:
        yield "executionRoleArn and taskRoleArn must be given, and be two roles"


def volumes(task: Resource, _stack: Stack) -> Iterator[str]:
    for volume in task.known("volumes") or []:
        if volume.get("hostPath"):
            yield f"the volume {volume['name']} is a folder of the host"
        shared = volume.get("efsVolumeConfiguration")
        if shared and shared.get("transitEncryption") != "ENABLED":
            yield f"the volume {volume['name']} is not encrypted in transit"


POLICIES = (
    Policy(
        name="cluster-insights",
        title="The cluster has Container Insights",
        why="Without it restarts and memory of tasks are seen by nobody.",
        fix="settings=[ecs.ClusterSettingArgs(name='containerInsights', value='enabled')].",
        on=("ecs:Cluster",),
        check=measured,
        covers=("CKV_AWS_65", "ecs_cluster_container_insights_enabled", "AwsSolutions-ECS4"),
    ),
    Policy(
        name="service-no-shell",
        title="Nobody can open a shell in a task",
        why="A shell sees every prompt that the task handles and has the task's role; what was done in it is in no log of the gateway's.",
        fix="enable_execute_command=False. Then there are no sessions to log or to encrypt.",
        on=("ecs:Service",),
        check=equals("enableExecuteCommand", False, None),
        severity="high",
        covers=("CKV_AWS_223",),
    ),
    Policy(
        name="service-fargate",
        title="The service runs on Fargate, on its latest platform",
        why="AWS patches what is below the container, and keeps tasks of different customers apart.",
        fix="launch_type='FARGATE' or its capacity providers, and no platform_version.",
        on=("ecs:Service",),
        check=every(on_fargate, equals("platformVersion", "LATEST", None)),
        covers=("CKV_AWS_332", "ecs_service_fargate_latest_platform_version"),
    ),
    Policy(
        name="service-no-address",
        title="Tasks have no public address",
        why="They would answer whoever finds it, past TLS and the firewall.",
        fix="assign_public_ip=False.",
        on=("ecs:Service",),
        check=equals("networkConfiguration.assignPublicIp", False, None),
        severity="high",
        covers=("CKV_AWS_333", "ecs_service_no_assign_public_ip", "ecs_task_set_no_assign_public_ip"),
    ),
    Policy(
        name="service-goes-back",
        title="A deployment that fails goes back by itself",
        why="Otherwise ECS starts the broken revision over and over until a person looks.",
        fix="deployment_circuit_breaker with enable=True and rollback=True.",
        on=("ecs:Service",),
        check=every(equals("deploymentCircuitBreaker.enable", True), equals("deploymentCircuitBreaker.rollback", True)),
    ),
    Policy(
        name="service-alarmed",
        title="A deployment that callers suffer from goes back, though its tasks are up",
        why="A revision that answers health checks can still answer callers with errors.",
        fix="alarms with enable=True, rollback=True and the names of alarms on errors.",
        on=("ecs:Service",),
        check=every(equals("alarms.enable", True), equals("alarms.rollback", True), at_least("alarms.alarmNames", 1)),
    ),
    Policy(
        name="service-keeps-serving",
        title="A deployment stops no task before its successor is ready",
        why="Callers would share fewer tasks on every deployment.",
        fix="deployment_minimum_healthy_percent=100.",
        on=("ecs:Service",),
        check=at_least("deploymentMinimumHealthyPercent", 100),
    ),
    Policy(
        name="service-several-tasks",
        title="Two tasks or more always run",
        why="With one, its restart is an outage.",
        fix="`minTasks` of 2 or more.",
        on=("appautoscaling:Target",),
        check=at_least("minCapacity", LEAST_TASKS),
    ),
    Policy(
        name="task-isolated",
        title="A task is on Fargate with a network, processes and memory of its own",
        why="What is shared with a host is shared with all that run there.",
        fix="requires_compatibilities=['FARGATE'], network_mode='awsvpc', no pid_mode, no ipc_mode.",
        on=("ecs:TaskDefinition",),
        check=every(
            equals("requiresCompatibilities", ["FARGATE"]),
            equals("networkMode", "awsvpc"),
            equals("pidMode", None, "", "task"),
            equals("ipcMode", None, "", "none", "task"),
        ),
        severity="high",
        covers=("CKV_AWS_335", "ecs_task_definitions_host_namespace_not_shared", "ecs_task_definitions_host_networking_mode_users"),
    ),
    Policy(
        name="task-two-roles",
        title="What starts a task and what runs in it have different roles",
        why="The app would otherwise have what only ECS needs, as reading every image.",
        fix="Two roles: execution_role_arn and task_role_arn.",
        on=("ecs:TaskDefinition",),
        check=roles_apart,
        covers=("CKV_AWS_249",),
    ),
    Policy(
        name="task-volumes",
        title="A task's volumes are its own, or encrypted on their way",
        why="A host's folder is shared with others, and files cross the network.",
        fix="No host_path; transit_encryption='ENABLED' where there is EFS.",
        on=("ecs:TaskDefinition",),
        check=volumes,
        covers=("CKV_AWS_97",),
    ),
    Policy(
        name="no-servers",
        title="There are no servers or functions beside the service",
        why="The policies are about Fargate tasks; a server or a function would have none of their guards.",
        fix="Run it as a task, or write policies about it.",
        on=("ec2:Instance", "ec2:LaunchTemplate", "autoscaling:Group", "lambda:Function", "lightsail:*"),
        check=refused("it is a server or a function"),
    ),
)
