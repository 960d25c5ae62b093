"""What can go wrong with the service, its container and its secrets."""

from __future__ import annotations

from tests.policies.mutant import added, changed
from tests.policies.programs import ABSENT

KEY = "sk-" + "a1B2" * 8
RUNNING, TASK, CONTAINER = "ecs:Service::gateway", "ecs:TaskDefinition::gateway", "containerDefinitions#0"
KMS, CACHE = "kms:Key::key", "elasticache:ReplicationGroup::cache"

SERVICES = (
    changed("cluster-insights", "ecs:Cluster::gateway", "settings", []),
    changed("cluster-insights", "ecs:Cluster::gateway", "settings.0.value", "disabled"),
    changed("service-no-shell", RUNNING, "enableExecuteCommand", True),
    changed("service-fargate", RUNNING, "capacityProviderStrategies", [{"capacityProvider": "machines"}]),
    changed("service-fargate", RUNNING, "platformVersion", "1.3.0"),
    changed("service-no-address", RUNNING, "networkConfiguration.assignPublicIp", True),
    changed("service-goes-back", RUNNING, "deploymentCircuitBreaker", ABSENT),
    changed("service-goes-back", RUNNING, "deploymentCircuitBreaker.rollback", False),
    changed("service-alarmed", RUNNING, "alarms.enable", False),
    changed("service-alarmed", RUNNING, "alarms.alarmNames", []),
    changed("service-keeps-serving", RUNNING, "deploymentMinimumHealthyPercent", 50),
    changed("service-several-tasks", "appautoscaling:Target::tasks", "minCapacity", 1),
    changed("task-isolated", TASK, "networkMode", "host"),
    changed("task-isolated", TASK, "pidMode", "host"),
    changed("task-isolated", TASK, "ipcMode", "host"),
    changed("task-isolated", TASK, "requiresCompatibilities", ["EC2"]),
    changed("task-two-roles", TASK, "taskRoleArn", ABSENT),
    changed("task-volumes", TASK, "volumes.0.hostPath", "/"),
    changed("task-volumes", TASK, "volumes.0.efsVolumeConfiguration", {"fileSystemId": "fs-1"}),
    added("no-servers", "ec2:Instance", {}),
    added("no-servers", "lambda:Function", {}),
)
CONTAINERS = (
    changed("container-image", TASK, f"{CONTAINER}.image", "registry.example.com/gateway:latest"),
    changed("container-image", TASK, f"{CONTAINER}.image", "registry.example.com/gateway@sha256:abc"),
    changed("container-read-only", TASK, f"{CONTAINER}.readonlyRootFilesystem", False),
    changed("container-read-only", TASK, "containerDefinitions#1", {"name": "sidecar"}),
    changed("container-powerless", TASK, f"{CONTAINER}.privileged", True),
    changed("container-powerless", TASK, f"{CONTAINER}.user", ABSENT),
    changed("container-powerless", TASK, f"{CONTAINER}.user", "0:0"),
    changed("container-powerless", TASK, f"{CONTAINER}.linuxParameters.capabilities", ABSENT),
    changed("container-powerless", TASK, f"{CONTAINER}.linuxParameters.capabilities.add", ["SYS_PTRACE"]),
    changed("container-init", TASK, f"{CONTAINER}.linuxParameters.initProcessEnabled", False),
    changed("container-logs", TASK, f"{CONTAINER}.logConfiguration", ABSENT),
    changed("container-logs", TASK, f"{CONTAINER}.logConfiguration.options.mode", "blocking"),
    changed("container-logs", TASK, f"{CONTAINER}.logConfiguration.options.awslogs-create-group", "true"),
    changed("container-asked", TASK, f"{CONTAINER}.healthCheck", ABSENT),
)
SECRETS = (
    changed("plain-secret", TASK, f"{CONTAINER}.environment.0.value", KEY),
    changed("plain-secret", CACHE, "description", f"key {KEY}"),
    changed("plain-secret", "docker-build:Image::image", "buildArgs", {"KEY": KEY}),
    changed("plain-secret", CACHE, "description", "redis://user:hunter2@cache:6379"),
    changed("plain-secret", CACHE, "description", "AKIA" + "Q" * 16),
    changed("plain-secret", CACHE, "description", "-----BEGIN RSA PRIVATE KEY-----"),
    changed("plain-output", "pulumi:Stack::prod", "key", KEY),
    changed("container-secrets", TASK, f"{CONTAINER}.environment.0", {"name": "OPENAI_API_KEY", "value": "x"}),
    changed("container-secrets", TASK, f"{CONTAINER}.environment.0", {"name": "DB_PASSWORD", "value": "x"}),
    changed("container-secrets", TASK, "containerDefinitions", "[secret]"),
    changed("secret-key", "secretsmanager:Secret::openai-key", "kmsKeyId", ABSENT),
    changed("secret-key", "secretsmanager:Secret::openai-key", "kmsKeyId", "alias/aws/secretsmanager"),
    changed("secret-value", "secretsmanager:SecretVersion::no-clients", "secretString", "a value"),
    changed("secret-value", "secretsmanager:SecretVersion::no-clients", "secretString", '{"web": 1}'),
    changed("secret-value", "secretsmanager:SecretVersion::no-clients", "secretBinary", "c2VjcmV0"),
    changed("secret-kept", "secretsmanager:Secret::openai-key", "recoveryWindowInDays", 0),
)
MUTANTS = (*SERVICES, *CONTAINERS, *SECRETS)
