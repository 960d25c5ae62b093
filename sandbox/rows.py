"""What the local run creates for real in the emulated AWS: a row for each resource type.

A row names AWS operations. Their arguments are the Pulumi inputs of the same name, found by a walk over botocore's description of the
operation (`sandbox.aws`); what AWS names otherwise, or wants in further calls, stands in the row as a short hook. A type without a row is
recorded, not created.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

Inputs = dict[str, Any]
Call = Callable[..., Any]
"""One call of the row's service, as `call(operation, **arguments)`; arguments are matched to its parameters whatever their case."""


@dataclass(frozen=True)
class Row:
    """How one resource type is made in AWS, by operations of a boto3 client. Expressions are JMESPath over an operation's answer."""

    service: str
    create: str
    id: str
    """An expression over the answer of `create`, or `=a,b` for inputs joined by a slash."""
    key: str = ""
    """The parameter that names the resource in `read`, `update` and `delete`."""
    read: str = ""
    """The operation that describes it; without one it is taken to be there."""
    found: str = "@"
    """The description in the answer of `read`; nothing there means that it is gone."""
    update: str = ""
    """The operation that changes it in place."""
    delete: str = ""
    """Without one it goes with what it belongs to."""
    delete_with: tuple[str, ...] = ()
    """What `delete` is given beside `key` and the parameters that it requires."""
    mutable: tuple[str, ...] = ()
    """Inputs that change in place. Any other change replaces the resource; tags always change in place."""
    named: int = 0
    """Longest name that AWS takes; above 0 a name is made where the program gives none."""
    tagged: bool = True
    """Whether it takes tags."""
    prepare: Callable[[Inputs], Inputs] = dict
    """The inputs in the form that the operations' parameters have."""
    fresh: Callable[[Call, str, Inputs], None] = lambda _call, _id, _inputs: None
    """Further calls after a creation."""
    after: Callable[[Call, str, Inputs], None] = lambda _call, _id, _inputs: None
    """Further calls after a creation or a change in place."""
    before_delete: Callable[[Call, str, Inputs], None] = lambda _call, _id, _inputs: None
    """Calls before a deletion."""
    outputs: dict[str, str] = field(default_factory=dict)
    """Outputs as expressions over the description, beside those that have the same name there."""


def renamed(**names: str) -> Callable[[Inputs], Inputs]:
    """A `prepare` that adds inputs under the names that AWS has for them."""
    return lambda inputs: inputs | {aws: inputs[ours] for ours, aws in names.items() if ours in inputs}


# --- Network


def _ec2(noun: str, **options: Any) -> Row:
    """A row by EC2's naming: create_route_table, RouteTable.RouteTableId, describe_route_tables and so on."""
    snake = re.sub(r"(?<!^)([A-Z])", r"_\1", noun).lower()
    row = Row(
        "ec2", f"create_{snake}", f"{noun}.{noun}Id", f"{noun}Id", f"describe_{snake}s",
        f"{noun}s[?State!='deleted'] | [0]", delete=f"delete_{snake}",
    )  # fmt: skip
    return replace(row, **options)


def _vpc(call: Call, vpc: str, inputs: Inputs) -> None:
    for name in ("enableDnsSupport", "enableDnsHostnames"):
        if name in inputs:
            call("modify_vpc_attribute", vpcId=vpc, **{name: {"value": inputs[name]}})


def _attach(call: Call, gateway: str, inputs: Inputs) -> None:
    call("attach_internet_gateway", internetGatewayId=gateway, vpcId=inputs["vpcId"])


def _empty_group(call: Call, group: str, _inputs: Inputs) -> None:
    """A new group lets everything out, a default one lets itself in; the provider takes both rules out."""
    rules = call("describe_security_groups", groupIds=[group])["SecurityGroups"][0]
    for direction, permissions in (("egress", rules["IpPermissionsEgress"]), ("ingress", rules["IpPermissions"])):
        if permissions:
            call(f"revoke_security_group_{direction}", groupId=group, ipPermissions=permissions)


def _rule(inputs: Inputs) -> Inputs:
    sources = (("cidrIpv4", "IpRanges", "CidrIp"), ("prefixListId", "PrefixListIds", "PrefixListId"))
    permission: Inputs = {name: inputs[name] for name in ("ipProtocol", "fromPort", "toPort") if name in inputs}
    for ours, group, member in (*sources, ("referencedSecurityGroupId", "UserIdGroupPairs", "GroupId")):
        if ours in inputs:
            permission[group] = [{member: inputs[ours], "Description": inputs.get("description", "")}]
    return inputs | {"groupId": inputs["securityGroupId"], "ipPermissions": [permission]}


def _security_group_rule(direction: str) -> Row:
    return Row(
        "ec2", f"authorize_security_group_{direction}", "SecurityGroupRules[0].SecurityGroupRuleId", "SecurityGroupRuleIds",
        "describe_security_group_rules", "SecurityGroupRules[0]", delete=f"revoke_security_group_{direction}", delete_with=("groupId",),
        prepare=_rule,
    )  # fmt: skip


NETWORK = {
    "aws:ec2/vpc:Vpc": _ec2("Vpc", after=_vpc, mutable=("enableDnsSupport", "enableDnsHostnames")),
    "aws:ec2/subnet:Subnet": _ec2(
        "Subnet",
        mutable=("mapPublicIpOnLaunch",),
        after=lambda call, subnet, inputs: call(
            "modify_subnet_attribute", subnetId=subnet, mapPublicIpOnLaunch={"value": inputs.get("mapPublicIpOnLaunch", False)}
        ),
    ),
    "aws:ec2/internetGateway:InternetGateway": _ec2(
        "InternetGateway",
        fresh=_attach,
        before_delete=lambda call, gateway, inputs: call("detach_internet_gateway", internetGatewayId=gateway, vpcId=inputs["vpcId"]),
    ),
    "aws:ec2/eip:Eip": _ec2("Address", create="allocate_address", id="AllocationId", key="AllocationId", found="Addresses[0]",
                            read="describe_addresses", delete="release_address"),
    "aws:ec2/natGateway:NatGateway": _ec2("NatGateway"),
    "aws:ec2/routeTable:RouteTable": _ec2("RouteTable"),
    "aws:ec2/route:Route": Row("ec2", "create_route", "=routeTableId,destinationCidrBlock", delete="delete_route",
                               delete_with=("destinationCidrBlock",), tagged=False),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Row(
        "ec2", "associate_route_table", "AssociationId", "AssociationId", delete="disassociate_route_table", tagged=False,
    ),
    "aws:ec2/securityGroup:SecurityGroup": _ec2(
        "SecurityGroup", id="GroupId", key="GroupId", found="SecurityGroups[0]", named=255, prepare=renamed(name="groupName"),
        fresh=_empty_group,
    ),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": Row(
        "ec2", "describe_security_groups", "SecurityGroups[0].GroupId", fresh=_empty_group, mutable=("ingress", "egress"),
        prepare=lambda inputs: {
            "filters": [{"name": "vpc-id", "values": inputs["vpcId"]}, {"name": "group-name", "values": "default"}]
        },
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _security_group_rule("ingress"),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _security_group_rule("egress"),
    "aws:ec2/vpcEndpoint:VpcEndpoint": _ec2(
        "VpcEndpoint", key="VpcEndpointIds", delete="delete_vpc_endpoints", prepare=renamed(policy="policyDocument"),
    ),
    "aws:ec2/flowLog:FlowLog": _ec2(
        "FlowLog", create="create_flow_logs", id="FlowLogIds[0]", key="FlowLogIds", found="FlowLogs[0]", delete="delete_flow_logs",
        prepare=lambda inputs: inputs | {"resourceIds": [inputs["vpcId"]], "resourceType": "VPC",
                                         "deliverLogsPermissionArn": inputs.get("iamRoleArn")},
    ),
}  # fmt: skip


# --- Keys, secrets, logs, roles


def _key(call: Call, key: str, inputs: Inputs) -> None:
    call("enable_key_rotation" if inputs.get("enableKeyRotation") else "disable_key_rotation", keyId=key)
    if "policy" in inputs:
        call("put_key_policy", keyId=key, policyName="default", policy=inputs["policy"])


IDENTITY = {
    "aws:kms/key:Key": Row(
        "kms", "create_key", "KeyMetadata.KeyId", "KeyId", "describe_key",
        "[KeyMetadata][?KeyState!='PendingDeletion'] | [0]",
        delete="schedule_key_deletion", delete_with=("pendingWindowInDays",),
        mutable=("policy", "enableKeyRotation", "deletionWindowInDays"), after=_key,
        prepare=renamed(deletionWindowInDays="pendingWindowInDays"),
    ),
    "aws:kms/alias:Alias": Row(
        "kms", "create_alias", "=name", "AliasName", update="update_alias", delete="delete_alias", mutable=("targetKeyId",), named=250,
        tagged=False, prepare=renamed(name="aliasName"),
    ),
    "aws:secretsmanager/secret:Secret": Row(
        "secretsmanager", "create_secret", "ARN", "SecretId", "describe_secret",
        "[@][?!DeletedDate] | [0]", "update_secret", "delete_secret",
        ("recoveryWindowInDays", "forceDeleteWithoutRecovery"), ("description", "recoveryWindowInDays"), named=200,
        prepare=lambda inputs: {key: value for key, value in inputs.items() if (key, value) != ("recoveryWindowInDays", 0)}
        | {"forceDeleteWithoutRecovery": inputs.get("recoveryWindowInDays") == 0},
    ),
    "aws:secretsmanager/secretVersion:SecretVersion": Row(
        "secretsmanager", "put_secret_value", "join('|', [ARN, VersionId])", tagged=False,
    ),
    "aws:cloudwatch/logGroup:LogGroup": Row(
        "logs", "create_log_group", "=name", "logGroupName", "describe_log_groups", "logGroups[0]", delete="delete_log_group",
        mutable=("retentionInDays",), named=500, prepare=renamed(name="logGroupName"),
        after=lambda call, group, inputs: call("put_retention_policy", logGroupName=group, retentionInDays=inputs["retentionInDays"]),
        outputs={"arn": "logGroupArn"},
    ),
    "aws:iam/role:Role": Row(
        "iam", "create_role", "Role.RoleName", "RoleName", "get_role", "Role", "update_assume_role_policy", "delete_role",
        mutable=("assumeRolePolicy",), named=64,
        prepare=lambda inputs: inputs | {"roleName": inputs["name"], "assumeRolePolicyDocument": inputs["assumeRolePolicy"],
                                         "policyDocument": inputs["assumeRolePolicy"]},
    ),
    "aws:iam/rolePolicy:RolePolicy": Row(
        "iam", "put_role_policy", "=role,name", update="put_role_policy", delete="delete_role_policy", mutable=("policy",), named=128,
        tagged=False, prepare=renamed(role="roleName", name="policyName", policy="policyDocument"),
    ),
}  # fmt: skip


# --- Balancer

BALANCER_ATTRIBUTES = {
    "idleTimeout": "idle_timeout.timeout_seconds",
    "clientKeepAlive": "client_keep_alive.seconds",
    "enableDeletionProtection": "deletion_protection.enabled",
    "dropInvalidHeaderFields": "routing.http.drop_invalid_header_fields.enabled",
    "desyncMitigationMode": "routing.http.desync_mitigation_mode",
}
TARGET_ATTRIBUTES = {
    "deregistrationDelay": "deregistration_delay.timeout_seconds",
    "loadBalancingAlgorithmType": "load_balancing.algorithm.type",
}
HEALTH_CHECK = {
    "path": "healthCheckPath",
    "protocol": "healthCheckProtocol",
    "interval": "healthCheckIntervalSeconds",
    "timeout": "healthCheckTimeoutSeconds",
    "healthyThreshold": "healthyThresholdCount",
    "unhealthyThreshold": "unhealthyThresholdCount",
}


def _attributes(inputs: Inputs, names: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": aws, "value": json.dumps(inputs[ours]).strip('"')} for ours, aws in names.items() if ours in inputs]


def _target_group(inputs: Inputs) -> Inputs:
    check = inputs.get("healthCheck", {})
    return inputs | renamed(**HEALTH_CHECK)(check) | ({"matcher": {"httpCode": check["matcher"]}} if "matcher" in check else {})


def _actions(inputs: Inputs) -> Inputs:
    actions = [
        {"type": action["type"], "targetGroupArn": action.get("targetGroupArn"), "redirectConfig": action.get("redirect"),
         "fixedResponseConfig": action.get("fixedResponse")}
        for action in inputs["defaultActions"]
    ]  # fmt: skip
    certificates = {"certificates": [{"certificateArn": inputs["certificateArn"]}]} if "certificateArn" in inputs else {}
    return inputs | certificates | {"defaultActions": actions}


BALANCER = {
    "aws:lb/loadBalancer:LoadBalancer": Row(
        "elbv2", "create_load_balancer", "LoadBalancers[0].LoadBalancerArn", "LoadBalancerArn", "describe_load_balancers",
        "LoadBalancers[0]", "modify_load_balancer_attributes", "delete_load_balancer", mutable=tuple(BALANCER_ATTRIBUTES), named=32,
        prepare=lambda inputs: inputs | {"attributes": _attributes(inputs, BALANCER_ATTRIBUTES)},
        after=lambda call, arn, inputs: call("modify_load_balancer_attributes", loadBalancerArn=arn,
                                             attributes=_attributes(inputs, BALANCER_ATTRIBUTES)),
        outputs={"arn": "LoadBalancerArn", "dnsName": "DNSName", "zoneId": "CanonicalHostedZoneId", "arnSuffix": "LoadBalancerArn"},
    ),
    "aws:lb/targetGroup:TargetGroup": Row(
        "elbv2", "create_target_group", "TargetGroups[0].TargetGroupArn", "TargetGroupArn", "describe_target_groups", "TargetGroups[0]",
        "modify_target_group", "delete_target_group", mutable=("healthCheck", *TARGET_ATTRIBUTES), named=32, prepare=_target_group,
        after=lambda call, arn, inputs: call("modify_target_group_attributes", targetGroupArn=arn,
                                             attributes=_attributes(inputs, TARGET_ATTRIBUTES)),
        outputs={"arn": "TargetGroupArn", "arnSuffix": "TargetGroupArn"},
    ),
    "aws:lb/listener:Listener": Row(
        "elbv2", "create_listener", "Listeners[0].ListenerArn", "ListenerArn", "describe_listeners", "Listeners[0]", "modify_listener",
        "delete_listener", mutable=("defaultActions", "sslPolicy", "certificateArn"), prepare=_actions, outputs={"arn": "ListenerArn"},
    ),
}  # fmt: skip


# --- Service


def _service(inputs: Inputs) -> Inputs:
    network = dict(inputs["networkConfiguration"])
    network["assignPublicIp"] = "ENABLED" if network.get("assignPublicIp") else "DISABLED"
    deployment = {
        "deploymentCircuitBreaker": inputs.get("deploymentCircuitBreaker"),
        "maximumPercent": inputs.get("deploymentMaximumPercent"),
        "minimumHealthyPercent": inputs.get("deploymentMinimumHealthyPercent"),
    }
    return inputs | {
        "serviceName": inputs["name"],
        "networkConfiguration": {"awsvpcConfiguration": network},
        "deploymentConfiguration": {key: value for key, value in deployment.items() if value is not None},
        "force": True,
    }


SERVICE = {
    "aws:ecs/cluster:Cluster": Row(
        "ecs", "create_cluster", "cluster.clusterArn", "cluster", "describe_clusters", "clusters[?status=='ACTIVE'] | [0]",
        "update_cluster", "delete_cluster", mutable=("settings", "configuration"), named=255, prepare=renamed(name="clusterName"),
        outputs={"arn": "clusterArn"},
    ),
    "aws:ecs/taskDefinition:TaskDefinition": Row(
        "ecs", "register_task_definition", "taskDefinition.taskDefinitionArn", "taskDefinition", "describe_task_definition",
        "[taskDefinition][?status=='ACTIVE'] | [0]", delete="deregister_task_definition",
        prepare=lambda inputs: inputs | {"containerDefinitions": json.loads(inputs["containerDefinitions"])},
        outputs={"arn": "taskDefinitionArn", "revision": "revision"},
    ),
    "aws:ecs/service:Service": Row(
        "ecs", "create_service", "service.serviceArn", "service", "describe_services", "services[?status!='INACTIVE'] | [0]",
        "update_service", "delete_service", ("cluster", "force"),
        ("taskDefinition", "desiredCount", "deploymentCircuitBreaker", "deploymentMaximumPercent", "deploymentMinimumHealthyPercent",
         "healthCheckGracePeriodSeconds", "networkConfiguration", "waitForSteadyState", "enableExecuteCommand"),
        named=255, prepare=_service, outputs={"arn": "serviceArn"},
        before_delete=lambda call, arn, inputs: call("update_service", cluster=inputs["cluster"], service=arn, desiredCount=0),
    ),
    "aws:appautoscaling/target:Target": Row(
        "application-autoscaling", "register_scalable_target", "=resourceId", update="register_scalable_target",
        delete="deregister_scalable_target", mutable=("minCapacity", "maxCapacity"), tagged=False,
    ),
    "aws:appautoscaling/policy:Policy": Row(
        "application-autoscaling", "put_scaling_policy", "=name", update="put_scaling_policy", delete="delete_scaling_policy",
        mutable=("targetTrackingScalingPolicyConfiguration",), named=256, tagged=False, prepare=renamed(name="policyName"),
        outputs={"arn": "PolicyARN"},
    ),
}  # fmt: skip

ROWS: dict[str, Row] = NETWORK | IDENTITY | BALANCER | SERVICE
