"""The alarms that roll a deployment back."""

from __future__ import annotations

from pulumi import ComponentResource, Output, ResourceOptions
from pulumi_aws import cloudwatch

from infra.balancer import Balancer
from infra.config.stage import Stage
from infra.watch.alarm import RUNBOOK, made
from infra.watch.alarms_balancer import for_deployments
from infra.watch.topic import Topic

BROKEN = "Callers get 5xx or tasks are unhealthy. A deployment that runs now is rolled back; one that starts now is not watched."


class DeploymentAlarms(ComponentResource):
    """One for 5xx and one for unhealthy tasks, which ECS looks at, and a composite of the two for people.

    They know of the balancer only, since the service, which names them, comes after: ECS refuses to make one that names what is not there.
    ECS looks at the metric alarms and not at the composite: it asks for alarms by DescribeAlarms, which leaves composites out unless
    they are asked for, and counts how long to watch from an alarm's periods, of which a composite has none. What callers do wrong (4xx) and
    any 429 is in neither. OpenAI's failures are: answers of 502 to 504 look alike, whoever's fault they are.
    """

    names: list[Output[str]]
    """For the service."""
    arns: list[Output[str]]

    def __init__(self, *, stage: Stage, topic: Topic, balancer: Balancer, opts: ResourceOptions | None = None) -> None:
        super().__init__("gateway:deployment_alarms:DeploymentAlarms", "deployment-alarms", None, opts)
        alarms = made(for_deployments(balancer), stage=stage, topic=topic, opts=ResourceOptions(parent=self))
        self.names = [alarm.name for alarm in alarms]
        composite = cloudwatch.CompositeAlarm(
            "deployment",
            alarm_name=f"{stage.label}-deployment",
            alarm_description=f"Act now. {BROKEN} Look at the two alarms that it is made of. Runbook: {RUNBOOK}#deployment",
            alarm_rule=Output.all(*self.names).apply(lambda names: " OR ".join(f'ALARM("{name}")' for name in names)),
            alarm_actions=[topic.arn],
            ok_actions=[topic.arn],
            opts=ResourceOptions(parent=self),
        )
        self.arns = [alarm.arn for alarm in (*alarms, composite)]
        self.register_outputs({})
