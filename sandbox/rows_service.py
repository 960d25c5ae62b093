"""Balancer, cluster, service and scaling in the emulated AWS."""

from __future__ import annotations

import json

from sandbox.row import Call, Inputs, Row, renamed

BALANCER_ATTRIBUTES = {
    "idleTimeout": "idle_timeout.timeout_seconds",
    "clientKeepAlive": "client_keep_alive.seconds",
    "enableDeletionProtection": "deletion_protection.enabled",
    "dropInvalidHeaderFields": "routing.http.drop_invalid_header_fields.enabled",
    "desyncMitigationMode": "routing.http.desync_mitigation_mode",
}
PLACE = ("securityGroups", "subnets")
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


def _placed(call: Call, arn: str, inputs: Inputs) -> None:
    call("modify_load_balancer_attributes", loadBalancerArn=arn, attributes=_attributes(inputs, BALANCER_ATTRIBUTES))
    if "subnets" in inputs:
        call("set_subnets", loadBalancerArn=arn, subnets=inputs["subnets"])
    if "securityGroups" in inputs:
        call("set_security_groups", loadBalancerArn=arn, securityGroups=inputs["securityGroups"])


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
        "LoadBalancers[0]", delete="delete_load_balancer", mutable=(*BALANCER_ATTRIBUTES, "accessLogs", "connectionLogs", *PLACE), named=32,
        after=_placed,
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


def _service(inputs: Inputs) -> Inputs:
    network = dict(inputs["networkConfiguration"])
    network["assignPublicIp"] = "ENABLED" if network.get("assignPublicIp") else "DISABLED"
    deployment = {
        "alarms": inputs.get("alarms"),
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
        ("alarms", "taskDefinition", "desiredCount", "deploymentCircuitBreaker", "deploymentMaximumPercent",
         "deploymentMinimumHealthyPercent", "healthCheckGracePeriodSeconds", "networkConfiguration", "waitForSteadyState",
         "enableExecuteCommand",
         "capacityProviderStrategies", "forceNewDeployment"),
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
