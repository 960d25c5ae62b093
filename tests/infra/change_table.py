"""For each configuration key another value, and what it does to the resources of a deployed stage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.infra.changes import CREATE, DELETE, REPLACE, UPDATE

Effects = dict[str, str]
"""By type of resource; `create+update` where some are created and others changed."""
TASKS = {"ecs:TaskDefinition": REPLACE, "ecs:Service": UPDATE}
"""Another revision of the task, which the service takes."""
DOMAIN = {"domain": "gateway.example.com", "hostedZoneId": "Z0123456789ABCDEFGHIJ", "allowPlainHttp": False}
BUSY = {"busyMinTasks": 3}
GIVEN = {
    "vpcId": "vpc-0123456789abcdef0",
    "publicSubnetIds": ["subnet-0000000a", "subnet-0000000b"],
    "privateSubnetIds": ["subnet-0000000c", "subnet-0000000d"],
}
OTHER_NETWORK = dict.fromkeys(
    [
        *("appautoscaling:Policy", "appautoscaling:Target", "ec2:SecurityGroup", "ecs:Service", "ecs:TaskDefinition"),
        *("elasticache:ReplicationGroup", "elasticache:SubnetGroup", "lb:Listener", "lb:LoadBalancer", "lb:TargetGroup"),
        *("vpc:SecurityGroupEgressRule", "vpc:SecurityGroupIngressRule", "wafv2:WebAclAssociation"),
    ],
    REPLACE,
) | {"iam:RolePolicy": UPDATE}
OWN_NETWORK = [
    *("ec2:DefaultSecurityGroup", "ec2:FlowLog", "ec2:InternetGateway", "ec2:NatGateway", "ec2:Route", "ec2:RouteTable"),
    *("ec2:RouteTableAssociation", "ec2:Subnet", "ec2:Vpc", "ec2:VpcEndpoint"),
]


@dataclass(frozen=True)
class Change:
    """Another value of a key, on top of a base, along with what it cannot do without; and its effects."""

    value: Any
    effects: Effects = field(default_factory=dict)
    base: dict[str, Any] = field(default_factory=dict)
    along: dict[str, Any] = field(default_factory=dict)


CHANGES = {
    "allowedAccountIds": Change(["123456789012"], {"pulumi:aws": UPDATE}),
    "owner": Change("the team", {"pulumi:aws": UPDATE}),  # and with it the tags of everything: tests/sandbox/test_engine.py
    "protect": Change(
        True, {"lb:LoadBalancer": UPDATE, "s3:Bucket": UPDATE}, base=DOMAIN | {"alarmMails": ["a@example.com"], "maxTasks": 4}
    ),
    "alarmMails": Change(["a@example.com"], {"sns:TopicSubscription": CREATE}),
    "costCeilingUsd": Change(900, {"budgets:Budget": CREATE}),
    "maxKeyAgeDays": Change(30),  # an alarm alone
    "openaiOrganization": Change("org-other", TASKS),
    "openaiProject": Change("proj_other", TASKS),
    "openaiBaseUrl": Change("https://openai.example.com/v1", TASKS),
    "models": Change(["gpt-6.1-terra", "gpt-6-luna", "gpt-6-mini"], TASKS),
    "openaiRequestsPerMinute": Change(500, TASKS),
    "openaiTokensPerMinute": Change(5_000_000, TASKS),
    "clientRequestsPerMinute": Change(60, TASKS),
    "clientTokensPerMinute": Change(60_000, TASKS),
    "clientStreams": Change(5, TASKS),
    "clientUsdPerDay": Change(5, TASKS),
    "clientUsdPerMonth": Change(50, TASKS),
    "monthlyBudgetUsd": Change(50, TASKS),
    "spendLadder": Change("0.9:alert", TASKS),
    "defaultOutputTokens": Change(100, TASKS),
    "maxOutputTokens": Change(8000, TASKS),
    "moderateInput": Change(True, TASKS),
    "redactPrompts": Change(True, TASKS),
    "embeddingBatchMilliseconds": Change(10, TASKS),
    "domain": Change(
        DOMAIN["domain"],
        {
            "acm:Certificate": CREATE,
            "acm:CertificateValidation": CREATE,
            "route53:Record": CREATE,
            "lb:Listener": "create+update",
            "vpc:SecurityGroupIngressRule": "create+update",
        },
        along={"hostedZoneId": DOMAIN["hostedZoneId"]},
    ),
    "hostedZoneId": Change("Z0000000000000000000A", {"acm:CertificateValidation": REPLACE, "route53:Record": REPLACE}, base=DOMAIN),
    "allowPlainHttp": Change(True, {}, base=DOMAIN),
    "requestsPerAddress": Change(500, {"wafv2:WebAcl": UPDATE}),
    "zones": Change(
        3,
        {
            **dict.fromkeys(["ec2:Route", "ec2:RouteTable", "ec2:RouteTableAssociation", "ec2:Subnet"], CREATE),
            **dict.fromkeys(["ec2:VpcEndpoint", "ecs:Service", "elasticache:SubnetGroup", "lb:LoadBalancer"], UPDATE),
        },
    ),
    "natGateways": Change("perZone", {"ec2:Eip": CREATE, "ec2:NatGateway": CREATE, "ec2:Route": UPDATE}),
    "interfaceEndpoints": Change(
        ["logs"],
        {
            "ec2:SecurityGroup": CREATE,
            "ec2:VpcEndpoint": CREATE,
            "vpc:SecurityGroupEgressRule": CREATE,
            "vpc:SecurityGroupIngressRule": CREATE,
        },
    ),
    "publicSubnetIds": Change(["subnet-0000000a", "subnet-0000000e"], {"lb:LoadBalancer": UPDATE}, base=GIVEN),
    "privateSubnetIds": Change(
        ["subnet-0000000c", "subnet-0000000e"], {"ecs:Service": UPDATE, "elasticache:SubnetGroup": UPDATE}, base=GIVEN
    ),
    "image": Change(f"openai-gateway@sha256:{'1' * 64}", TASKS),
    "taskCpu": Change(1024, TASKS, along={"taskMemoryMiB": 2048}),
    "taskMemoryMiB": Change(2048, TASKS),
    "minTasks": Change(3, {"appautoscaling:Target": UPDATE}),
    "maxTasks": Change(6, {"appautoscaling:Target": UPDATE}),
    "targetCpuPercent": Change(50, {"appautoscaling:Policy": UPDATE}),
    "targetInFlight": Change(30, {"appautoscaling:Policy": UPDATE}),
    "busyMinTasks": Change(4, {"appautoscaling:ScheduledAction": CREATE}, along={"minTasks": 2}),  # which AWS moves then
    "busyFrom": Change("cron(0 9 ? * MON-FRI *)", {"appautoscaling:ScheduledAction": UPDATE}, base=BUSY),
    "busyUntil": Change("cron(0 21 ? * MON-FRI *)", {"appautoscaling:ScheduledAction": UPDATE}, base=BUSY),
    "busyTimezone": Change("UTC", {"appautoscaling:ScheduledAction": UPDATE}, base=BUSY),
    "spotPercent": Change(50, {"ecs:Service": UPDATE}),
    "workers": Change(2, TASKS | {"appautoscaling:Policy": UPDATE}),
    "healthCheckIntervalSeconds": Change(20, {"lb:TargetGroup": UPDATE}),
    "requestTimeoutSeconds": Change(300, TASKS | {"lb:TargetGroup": UPDATE}),
    "pingSeconds": Change(20, TASKS),
    "idleTimeoutSeconds": Change(900, TASKS | {"lb:LoadBalancer": UPDATE}),
    "drainSeconds": Change(60, TASKS | {"lb:TargetGroup": UPDATE}),
    "cacheNodeType": Change("cache.t4g.small", {"elasticache:ReplicationGroup": UPDATE}),
    "cacheReplicas": Change(1, {"elasticache:ReplicationGroup": UPDATE}),
    "cacheTtlSeconds": Change(60, TASKS),
    "logRetentionDays": Change(7, {"cloudwatch:LogGroup": UPDATE, "s3:BucketLifecycleConfiguration": UPDATE}),
    "secretRecoveryDays": Change(7, {"secretsmanager:Secret": UPDATE}),
    "secretTtlSeconds": Change(60, TASKS),
    "trafficRequestsPerDay": Change(500),
    "trafficPromptTokens": Change(500),
    "trafficOutputTokens": Change(100),
    "trafficSeconds": Change(5),
    "trafficCacheHitPercent": Change(20),
    "trafficModelMix": Change("gpt-6.1-terra:70,gpt-6-luna:30"),
}
MOVES = {
    "region": Change("us-west-2"),
    "vpcCidr": Change("10.9.0.0/16", OTHER_NETWORK | dict.fromkeys(OWN_NETWORK, REPLACE)),
    "vpcId": Change(GIVEN["vpcId"], OTHER_NETWORK | dict.fromkeys([*OWN_NETWORK, "ec2:Eip"], DELETE), along=GIVEN),
}
"""What moves a stage to another place: all that stands there is made anew, so a protected stage refuses it."""
