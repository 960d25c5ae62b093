"""Tasks that stop though nobody asked them to."""

from __future__ import annotations

import json

from pulumi import ComponentResource, Output, ResourceOptions
from pulumi_aws import cloudwatch

from infra.config.stage import Stage
from infra.keys import EncryptionKey
from infra.policies import document
from infra.service import Service
from infra.watch.series import Series

CRASHED = ("EssentialContainerExited", "TaskFailedToStart")
UNHEALTHY = "Task failed"
"""How the reason begins when ECS stops a task for its health checks; it has the same code as one that scaling stops."""


class Stops(ComponentResource):
    """A rule that picks, of ECS's events, the tasks that crashed, did not start or answered no health checks, and a log of those.

    ECS forgets a stopped task within the hour and counts none: Container Insights has restarts by task id only, of which no alarm can be
    made. The log says why each one stopped, as long as the stage keeps logs.
    """

    counted: Series

    def __init__(self, *, stage: Stage, key: EncryptionKey, service: Service, opts: ResourceOptions | None = None) -> None:
        super().__init__("gateway:stops:Stops", "stops", None, opts)
        child = ResourceOptions(parent=self)
        group = cloudwatch.LogGroup(
            "stops", name=f"/{stage.label}/stops", retention_in_days=stage.log_retention_days, kms_key_id=key.arn, opts=child
        )
        rule = cloudwatch.EventRule(
            "stops",
            name=f"{stage.label}-stops",
            description=f"{stage.label}: tasks that stopped by themselves",
            event_pattern=Output.all(service.cluster_arn, service.service_name).apply(lambda made: _stopped(*made)),
            opts=child,
        )
        policy = cloudwatch.LogResourcePolicy(
            "stops",
            policy_name=f"{stage.label}-stops",
            policy_document=_delivered(group.arn, rule.arn),
            opts=child,
        )
        cloudwatch.EventTarget("stops", rule=rule.name, arn=group.arn, opts=ResourceOptions(parent=self, depends_on=[policy]))
        self.counted = Series("AWS/Events", "Invocations", "Sum", {"RuleName": rule.name})
        self.register_outputs({"logGroup": group.name})


def _stopped(cluster_arn: str, service_name: str) -> str:
    why = [{"stopCode": list(CRASHED)}, {"stoppedReason": [{"prefix": UNHEALTHY}]}]
    detail = {"clusterArn": [cluster_arn], "group": [f"service:{service_name}"], "lastStatus": ["STOPPED"], "$or": why}
    return json.dumps({"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"], "detail": detail}, sort_keys=True)


def _delivered(group_arn: Output[str], rule_arn: Output[str]) -> Output[str]:
    """Lets EventBridge write to the group, for the rule; AWS names the rule when events are put only, not when a stream is made."""
    services = {"Service": ["delivery.logs.amazonaws.com", "events.amazonaws.com"]}
    streams = Output.concat(group_arn, ":*")
    return document(
        {"Effect": "Allow", "Principal": services, "Action": ["logs:CreateLogStream"], "Resource": [streams]},
        {
            "Effect": "Allow",
            "Principal": services,
            "Action": ["logs:PutLogEvents"],
            "Resource": [streams],
            "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}},
        },
    )
