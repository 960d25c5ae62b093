"""Alarms, dashboard, topic and rules in the emulated AWS: made, changed in place, and gone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sandbox.aws_server import AwsServer
from sandbox.errors import SandboxError
from sandbox.resources import Resources

ALARM, DASHBOARD = "aws:cloudwatch/metricAlarm:MetricAlarm", "aws:cloudwatch/dashboard:Dashboard"
RULE, TARGET = "aws:cloudwatch/eventRule:EventRule", "aws:cloudwatch/eventTarget:EventTarget"
TOPIC, SUBSCRIPTION = "aws:sns/topic:Topic", "aws:sns/topicSubscription:TopicSubscription"
GROUP_ARN = "arn:aws:logs:us-east-1:123456789012:log-group:/stage/stops"


@pytest.fixture
async def aws() -> AsyncIterator[Resources]:
    server = AwsServer()
    await server.start()
    resources = Resources(server.url)
    resources.configure("pulumi:providers:aws", {"region": "us-east-1", "defaultTags": json.dumps({"tags": {"stage": "test"}})})
    yield resources
    await server.stop()


def made(aws: Resources, kind: str, **inputs: Any) -> tuple[str, dict[str, Any]]:
    return aws.create(kind, "one", aws.checked(kind, "one", inputs))


def alarm(**other: Any) -> dict[str, Any]:
    metric = {"namespace": "AWS/ECS", "metricName": "CPUUtilization", "dimensions": {"ClusterName": "c"}, "stat": "Average", "period": 60}
    queries = [
        {"id": "cpu", "metric": metric, "returnData": False},
        {"id": "half", "expression": "cpu / 2", "label": "half", "returnData": True},
    ]
    common = {"name": "test-cpu", "comparisonOperator": "GreaterThanThreshold", "evaluationPeriods": 3, "threshold": 80}
    return common | {"metricQueries": queries, "treatMissingData": "missing"} | other


def test_an_alarm_on_a_calculation_changes_in_place(aws: Resources) -> None:
    identifier, state = made(aws, ALARM, **alarm())
    assert state["arn"].endswith(":alarm:test-cpu")
    old, new = aws.checked(ALARM, "one", alarm()), aws.checked(ALARM, "one", alarm(threshold=90))
    assert aws.replaces(ALARM, old, new) == []
    aws.update(ALARM, "one", identifier, old, new)
    client = aws.client("cloudwatch")
    (found,) = client.describe_alarms()["MetricAlarms"]
    assert found["Threshold"] == 90
    cpu, half = found["Metrics"]
    assert cpu["MetricStat"]["Metric"]["Dimensions"] == [{"Name": "ClusterName", "Value": "c"}]
    assert (cpu["ReturnData"], half["ReturnData"], half["Expression"]) == (False, True, "cpu / 2")
    assert client.list_tags_for_resource(ResourceARN=state["arn"])["Tags"] == [{"Key": "stage", "Value": "test"}]
    aws.delete(ALARM, "one", identifier, new)
    assert aws.read(ALARM, "one", identifier, new) is None


def test_a_page_that_is_no_json_is_refused_as_aws_does(aws: Resources) -> None:
    with pytest.raises(SandboxError, match="Body is invalid JSON"):
        made(aws, DASHBOARD, dashboardName="test", dashboardBody="{")


def test_a_rule_goes_after_its_target(aws: Resources) -> None:
    rule, state = made(aws, RULE, name="test-stops", eventPattern=json.dumps({"source": ["aws.ecs"]}))
    target, target_state = made(aws, TARGET, rule=rule, arn=GROUP_ARN)
    events = aws.client("events")
    assert [found["Arn"] for found in events.list_targets_by_rule(Rule=rule)["Targets"]] == [GROUP_ARN]
    aws.delete(TARGET, "one", target, target_state)
    aws.delete(RULE, "one", rule, state)
    assert not events.list_rules()["Rules"]


def test_a_topic_is_encrypted_and_mails(aws: Resources) -> None:
    topic, state = made(aws, TOPIC, name="test-alarms", displayName="test", kmsMasterKeyId="alias/test")
    subscription, subscribed = made(aws, SUBSCRIPTION, topic=topic, protocol="email", endpoint="team@example.com")
    sns = aws.client("sns")
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["KmsMasterKeyId"] == "alias/test"
    assert [found["Endpoint"] for found in sns.list_subscriptions()["Subscriptions"]] == ["team@example.com"]
    aws.delete(SUBSCRIPTION, "one", subscription, subscribed)
    aws.delete(TOPIC, "one", topic, state)
    assert not sns.list_topics()["Topics"]
