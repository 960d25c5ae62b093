"""A balancer's settings as they were deployed, read back out of the emulated AWS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.errors import SandboxError


@dataclass(frozen=True)
class BalancerSettings:
    idle_timeout_s: float
    algorithm: str
    health_path: str
    health_interval_s: float
    health_timeout_s: float
    healthy_threshold: int
    unhealthy_threshold: int
    success_codes: str
    deregistration_delay_s: float
    drop_invalid_headers: bool


def read_settings(elbv2: Any, load_balancer_arn: str) -> BalancerSettings:
    """The settings of a balancer and of the target group that its listener forwards to, read with a boto3 client.

    Raises:
        SandboxError: there is no such balancer, or no listener of it forwards.
    """
    try:
        own = _attributes(elbv2.describe_load_balancer_attributes(LoadBalancerArn=load_balancer_arn))
    except elbv2.exceptions.LoadBalancerNotFoundException:
        raise SandboxError(f"There is no load balancer {load_balancer_arn}") from None
    listeners = elbv2.describe_listeners(LoadBalancerArn=load_balancer_arn)["Listeners"]
    forwards = [arn for listener in listeners for action in listener["DefaultActions"] for arn in _forwards_to(action)]
    if not forwards:
        raise SandboxError(f"No listener of {load_balancer_arn} forwards to a target group")
    group = elbv2.describe_target_groups(TargetGroupArns=[forwards[0]])["TargetGroups"][0]
    attributes = _attributes(elbv2.describe_target_group_attributes(TargetGroupArn=forwards[0]))
    return BalancerSettings(
        idle_timeout_s=float(own.get("idle_timeout.timeout_seconds", 60)),
        algorithm=attributes.get("load_balancing.algorithm.type", "round_robin"),
        health_path=group.get("HealthCheckPath", "/"),
        health_interval_s=float(group.get("HealthCheckIntervalSeconds", 30)),
        health_timeout_s=float(group.get("HealthCheckTimeoutSeconds", 5)),
        healthy_threshold=int(group.get("HealthyThresholdCount", 5)),
        unhealthy_threshold=int(group.get("UnhealthyThresholdCount", 2)),
        success_codes=group.get("Matcher", {}).get("HttpCode", "200"),
        deregistration_delay_s=float(attributes.get("deregistration_delay.timeout_seconds", 300)),
        drop_invalid_headers=own.get("routing.http.drop_invalid_header_fields.enabled", "false") == "true",
    )


def _attributes(answer: Any) -> dict[str, str]:
    return {item["Key"]: item["Value"] for item in answer["Attributes"]}


def _forwards_to(action: Any) -> list[str]:
    if action["Type"] != "forward":
        return []
    groups = action.get("ForwardConfig", {}).get("TargetGroups", [])
    return [action["TargetGroupArn"]] if action.get("TargetGroupArn") else [group["TargetGroupArn"] for group in groups]
