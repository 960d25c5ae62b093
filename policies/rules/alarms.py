"""Alarms and where they go."""

from __future__ import annotations

from collections.abc import Iterator

from policies.policy import Policy, equals, every, given, has
from policies.rules.bucket import refuses_plain
from policies.stack import Resource, Stack


def secure_endpoint(subscription: Resource, _stack: Stack) -> Iterator[str]:
    if subscription.known("protocol") == "http":
        yield "protocol = 'http'"


def inside(target: Resource, _stack: Stack) -> Iterator[str]:
    if not target.links.get("arn"):
        yield "its arn is none of this stage's resources"


POLICIES = (
    Policy(
        name="alarm-tells",
        title="An alarm tells somebody",
        why="One that only changes its colour in a console is seen the day after.",
        fix="alarm_actions=[topic.arn], and actions_enabled left as it is.",
        on=("cloudwatch:MetricAlarm", "cloudwatch:CompositeAlarm"),
        check=every(given("alarmActions"), equals("actionsEnabled", True, None)),
        covers=("CKV_AWS_319", "cloudwatch_alarm_actions_enabled", "cloudwatch_alarm_actions_alarm_state_configured"),
    ),
    Policy(
        name="alarm-missing-data",
        title="An alarm says what missing data means",
        why="The default keeps an alarm in whatever state it was; whether silence is good or bad was to be decided.",
        fix="treat_missing_data.",
        on=("cloudwatch:MetricAlarm",),
        check=equals("treatMissingData", "breaching", "notBreaching", "ignore", "missing"),
    ),
    Policy(
        name="alarm-described",
        title="An alarm says what it means",
        why="Whoever it wakes up has never seen it before.",
        fix="alarm_description, with the runbook's section.",
        on=("cloudwatch:MetricAlarm", "cloudwatch:CompositeAlarm"),
        check=given("alarmDescription"),
        severity="low",
    ),
    Policy(
        name="topic-encrypted",
        title="A topic is encrypted with the stage's key",
        why="Messages say what is failing, and where.",
        fix="kms_master_key_id=key.arn.",
        on=("sns:Topic",),
        check=given("kmsMasterKeyId", unlike="alias/aws/"),
        covers=("CKV_AWS_26", "sns_topics_kms_encryption_at_rest_enabled"),
    ),
    Policy(
        name="topic-tls",
        title="A topic takes messages by TLS only",
        why="They would cross the network as plain text.",
        fix="A statement in its sns.TopicPolicy that denies aws:SecureTransport false.",
        on=("sns:Topic",),
        check=has("sns:TopicPolicy", "arn", refuses_plain, "that denies aws:SecureTransport false to all"),
        covers=("AwsSolutions-SNS3",),
        whole=True,
    ),
    Policy(
        name="topic-subscribers",
        title="Nobody is told by plain HTTP",
        why="What fails, and where, would cross the internet as plain text.",
        fix="protocol 'email' or 'https'.",
        on=("sns:TopicSubscription",),
        check=secure_endpoint,
        covers=("sns_subscription_not_using_http_endpoints",),
    ),
    Policy(
        name="events-stay",
        title="Events go to resources of the stage",
        why="A target in another account carries away what happens here, for as long as nobody looks.",
        fix="arn=… of a resource that the program makes.",
        on=("cloudwatch:EventTarget",),
        check=inside,
        whole=True,
    ),
)
