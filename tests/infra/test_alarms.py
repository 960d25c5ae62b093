"""The alarms: what they watch exists, they tell somebody what to do, and they go on when they should and at no other time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from app.metrics import METRICS, NAMESPACE, STAGE, THROTTLE_KINDS
from app.settings import Settings
from tests.infra.deployment import STAGES, Deployment, deploy
from tests.infra.metric_math import Period, is_on

Inputs = dict[str, Any]
BY_NAME = {metric.name: metric for metric in METRICS}
HAPPENED = {"task-stops", "quota", "spend-limit", "logged-errors", "cache-lost"}
"""Alarms that count what happened: that it happened no more is no news."""


def alarms(deployed: Deployment) -> dict[str, Inputs]:
    return {name: resource.inputs for name, resource in deployed.all("cloudwatch:MetricAlarm").items()}


def series(alarm: Inputs) -> Iterator[Inputs]:
    if "metricQueries" not in alarm:
        yield alarm
    for query in alarm.get("metricQueries", ()):
        if "metric" in query:
            yield query["metric"]


def on(deployed: Deployment, name: str, *periods: Period, before: bool = False) -> bool:
    return is_on(alarms(deployed)[name], periods, before=before)


def test_every_alarm_tells_the_stages_topic(deployed: Deployment) -> None:
    topic = deployed.one("sns:Topic", "alarms")
    found = alarms(deployed) | {"deployment": deployed.one("cloudwatch:CompositeAlarm", "deployment").inputs}
    assert len(found) > 20
    for name, alarm in found.items():
        (told,) = alarm["alarmActions"]
        assert topic.id in told, name
        assert alarm["okActions"] == ([] if name in HAPPENED else [told]), name
        assert alarm.get("actionsEnabled", True) is True


def test_every_alarm_says_what_it_means_and_where_to_read_on(deployed: Deployment) -> None:
    for name, alarm in alarms(deployed).items():
        said = alarm["alarmDescription"]
        assert re.match(r"(Act now|Look into it today)\. [A-Z%\d]", said), said
        assert " Look at " in said
        assert said.endswith(f" Runbook: docs/runbook.md#{name}")
        assert 80 < len(said) <= 1024


def test_names_are_the_stages_own(deployed: Deployment) -> None:
    label = deployed.outputs["cluster"]
    for name, alarm in alarms(deployed).items():
        assert alarm["name"] == f"{label}-{name}"
        assert len(alarm["name"]) <= 255


def test_aws_takes_every_alarm(deployed: Deployment) -> None:
    for name, alarm in alarms(deployed).items():
        queries = alarm.get("metricQueries", [])
        periods = {int(found["period"]) for found in series(alarm)}
        assert len(periods) == 1, name
        (period,) = periods
        assert period % 60 == 0
        assert period * alarm["evaluationPeriods"] <= 86_400
        assert 1 <= alarm["datapointsToAlarm"] <= alarm["evaluationPeriods"]
        assert alarm["treatMissingData"] in ("breaching", "ignore", "missing", "notBreaching")
        assert all(re.fullmatch(r"[a-z]\w*", query["id"]) for query in queries)
        assert len({query["id"] for query in queries}) == len(queries)
        assert sum("metric" in query for query in queries) <= 10
        assert sum(query["returnData"] for query in queries) == bool(queries)


def test_what_is_watched_of_the_app_is_what_it_emits(deployed: Deployment) -> None:
    watched = [found for alarm in alarms(deployed).values() for found in series(alarm) if found["namespace"] == NAMESPACE]
    assert {"Latency", "TimeToFirstToken", "InFlight", "Throttled", "KeyAge"} <= {found["metricName"] for found in watched}
    for found in watched:
        assert sorted(found["dimensions"]) in map(sorted, BY_NAME[found["metricName"]].dimension_sets)
        assert found["dimensions"][STAGE] == deployed.environment()["GATEWAY_STAGE"]
        assert found["dimensions"].get("Kind", THROTTLE_KINDS[0]) in THROTTLE_KINDS


def test_all_that_is_watched_belongs_to_the_stage(deployed: Deployment) -> None:
    known = {resource.id for resource in deployed.resources.values()} | {deployed.outputs["cluster"], deployed.outputs["service"]}
    for alarm in alarms(deployed).values():
        for found in series(alarm):
            values = found.get("dimensions", {})
            own = [value for value in values.values() if any(name in value for name in known)]
            assert own or STAGE in values or found["namespace"] == deployed.outputs["cluster"], found


@pytest.mark.parametrize(
    ("failed", "goes_on"),
    [
        ([0, 6, 6, 0, 6], True),
        ([6, 6, 6, 6, 6], True),
        ([0, 6, 6, 0, 0], False),
        ([5, 5, 5, 5, 5], False),
    ],
)
def test_server_errors_above_a_share_for_some_minutes(prod: Deployment, failed: list[float], goes_on: bool) -> None:  # noqa: FBT001
    minutes: list[Period] = [{"requests": 100, "tasks": each or None} for each in failed]
    assert on(prod, "server-errors", *minutes) is goes_on


def test_a_few_requests_that_fail_wake_nobody(prod: Deployment) -> None:
    assert not on(prod, "server-errors", *[{"requests": 19, "tasks": 19}] * 5)
    assert not on(prod, "server-errors-slow", {"requests": 19, "tasks": 19})
    assert not on(prod, "server-errors-slow", {"requests": 20, "tasks": 1})
    assert on(prod, "server-errors-slow", {"requests": 20, "tasks": 2})


def test_answers_of_the_balancer_itself_count_though_no_task_saw_those_requests(prod: Deployment) -> None:
    assert on(prod, "server-errors", *[{"requests": None, "balancer": 30}] * 3)
    assert on(prod, "server-errors", *[{"requests": 100, "balancer": 10}] * 3)


def test_silence_is_understood(prod: Deployment) -> None:
    nothing: list[Period] = [{}] * 5
    found = {name for name in alarms(prod) if on(prod, name, *nothing)}
    assert found == {"no-healthy-task", "few-healthy-tasks", "no-metrics"}
    assert {name for name in alarms(prod) if on(prod, name, *nothing, before=True)} - found == {"budget", "budget-nearly-spent", "key-age"}


@pytest.mark.parametrize(
    ("name", "well", "ill"),
    [
        ("unhealthy-tasks", {"value": 0}, {"value": 1}),
        ("no-healthy-task", {"value": 1}, {"value": 0}),
        ("few-healthy-tasks", {"value": 3}, {"value": 2}),
        ("missing-tasks", {"desired": 4, "running": 8}, {"desired": 4, "running": 3}),
        ("task-stops", {"value": 2}, {"value": 3}),
        ("cpu", {"value": 85}, {"value": 86}),
        ("memory", {"value": 85}, {"value": 86}),
        ("in-flight", {"value": 229}, {"value": 230}),
        ("no-metrics", {"value": 1}, {"value": 0}),
        ("latency", {"slowest": 60_000, "counted": 50}, {"slowest": 60_001, "counted": 50}),
        ("latency", {"slowest": 60_001, "counted": 49}, {"slowest": 60_001, "counted": 50}),
        ("first-token", {"slowest": 20_000, "counted": 50}, {"slowest": 20_001, "counted": 50}),
        ("rate-limit", {"requests": 100, "throttled": 5}, {"requests": 100, "throttled": 6}),
        ("rate-limit", {"requests": 19, "throttled": 19}, {"requests": 20, "throttled": 19}),
        ("own-limits", {"requests": 100, "throttled": 20}, {"requests": 100, "throttled": 21}),
        ("quota", {"value": 0}, {"value": 1}),
        ("spend-limit", {"value": 0}, {"value": 1}),
        ("budget", {"value": 79.9}, {"value": 80}),
        ("budget-nearly-spent", {"value": 94.9}, {"value": 95}),
        ("key-age", {"value": 90 * 86_400}, {"value": 90 * 86_400 + 1}),
        ("logged-errors", {"value": 4}, {"value": 5}),
        ("firewall", {"requests": 100, "blocked": 99}, {"requests": 100, "blocked": 100}),
        ("firewall", {"requests": 8000, "blocked": 2000}, {"requests": 8000, "blocked": 2001}),
        ("cache-lost", {"value": 0}, {"value": 1}),
        ("cache-cpu", {"node1": 80, "node2": 80}, {"node1": 10, "node3": 81}),
        ("cache-host-cpu", {"node1": 80}, {"node2": 81}),
        ("cache-memory", {"node1": 90}, {"node2": 91}),
        ("cache-evictions", {"node1": 500, "node2": 500}, {"node1": 500, "node2": 501}),
        ("cache-connections", {"node1": 170}, {"node1": 171}),
    ],
)
def test_an_alarm_goes_on_at_its_limit(prod: Deployment, name: str, well: Period, ill: Period) -> None:
    assert not on(prod, name, *[well] * 5)
    assert on(prod, name, *[ill] * 5)
    needed = int(alarms(prod)[name]["datapointsToAlarm"])
    assert not on(prod, name, *[well] * 5, *[ill] * (needed - 1)), "once more is enough, once less is not"


def test_money_that_is_missing_at_openai_is_told_within_a_minute_of_the_first_refusal(deployed: Deployment) -> None:
    for name in ("quota", "spend-limit"):
        alarm = alarms(deployed)[name]
        assert (alarm["period"], alarm["evaluationPeriods"], alarm["threshold"]) == (60, 1, 1)
        assert alarm["alarmDescription"].startswith("Act now.")


def test_limits_follow_the_stages_configuration() -> None:
    slower = deploy("staging", trafficSeconds=20, maxKeyAgeDays=30, minTasks=1, monthlyBudgetUsd=0)
    found = alarms(slower)
    assert found["latency"]["threshold"] == 120_000
    assert found["first-token"]["threshold"] == 40_000
    assert found["key-age"]["threshold"] == 30 * 86_400
    assert found["few-healthy-tasks"]["threshold"] == 1
    assert not {"budget", "budget-nearly-spent"} & found.keys(), "no budget, no share of it"
    patient = deploy("staging", trafficSeconds=300, openaiTokensPerMinute=0)
    assert alarms(patient)["latency"]["threshold"] == 480_000, "slower than most of the request timeout is slow, whatever is usual"


def test_every_node_of_the_cache_is_watched() -> None:
    for stage, nodes in (("prod", 3), ("staging", 1)):
        deployed = deploy(stage)
        group = deployed.one("elasticache:ReplicationGroup", "cache").inputs["replicationGroupId"]
        for name in ("cache-cpu", "cache-host-cpu", "cache-memory", "cache-evictions", "cache-connections"):
            found = [each["dimensions"]["CacheClusterId"] for each in series(alarms(deployed)[name])]
            assert found == [f"{group}-00{number}" for number in range(1, nodes + 1)]
    assert len(list(series(alarms(deploy("staging", cacheReplicas=5))["cache-cpu"]))) == 6


def test_the_app_is_full_where_the_alarm_says(deployed: Deployment) -> None:
    environment = {name: value for name, value in deployed.environment().items() if name != "AWS_REGION"}
    assert 0.8 <= alarms(deployed)["in-flight"]["threshold"] / Settings.load(environment).max_in_flight < 1


def test_a_deployment_is_rolled_back_by_server_errors_and_unhealthy_tasks(deployed: Deployment) -> None:
    service = deployed.one("ecs:Service", "gateway")
    told = service.inputs["alarms"]
    assert (told["enable"], told["rollback"]) == (True, True)
    assert told["alarmNames"] == [alarms(deployed)[name]["name"] for name in ("server-errors", "unhealthy-tasks")]
    assert {("cloudwatch:MetricAlarm", name) for name in ("server-errors", "unhealthy-tasks")} <= service.depends_on
    counted = {found["metricName"] for name in ("server-errors", "unhealthy-tasks") for found in series(alarms(deployed)[name])}
    assert counted == {"RequestCount", "HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count", "UnHealthyHostCount"}


def test_the_composite_alarm_is_made_of_the_same_two(deployed: Deployment) -> None:
    composite = deployed.one("cloudwatch:CompositeAlarm", "deployment")
    names = deployed.one("ecs:Service", "gateway").inputs["alarms"]["alarmNames"]
    assert composite.inputs["alarmRule"] == " OR ".join(f'ALARM("{name}")' for name in names)
    assert composite.inputs["alarmDescription"].endswith("docs/runbook.md#deployment")
    assert composite.inputs["alarmName"] == f"{deployed.outputs['cluster']}-deployment"
    assert composite.inputs["alarmName"] not in names, "ECS asks for metric alarms only"


def test_alarms_that_a_deployment_needs_come_before_the_service_and_the_others_after(deployed: Deployment) -> None:
    service = ("ecs:Service", "gateway")
    for name, alarm in deployed.all("cloudwatch:MetricAlarm").items():
        assert (service in alarm.depends_on) is (name not in ("server-errors", "unhealthy-tasks")), name


def test_errors_in_the_log_are_counted(deployed: Deployment) -> None:
    label = deployed.outputs["cluster"]
    for metric, alarm, pattern in (
        ("LoggedErrors", "logged-errors", '{ ($.level = "error") || ($.level = "critical") }'),
        ("CacheLost", "cache-lost", '{ ($.event = "valkey_lost") || ($.event = "valkey_unreachable") }'),
    ):
        given = deployed.one("cloudwatch:LogMetricFilter", metric).inputs
        assert given["logGroupName"] == deployed.outputs["logGroup"]
        assert given["pattern"] == pattern
        counted = given["metricTransformation"]
        assert (counted["name"], counted["namespace"], counted["value"], counted["defaultValue"]) == (metric, label, "1", "0")
        watched = alarms(deployed)[alarm]
        assert (watched["namespace"], watched["metricName"], watched["statistic"]) == (label, metric, "Sum")
        assert not watched.get("dimensions")


def test_stages_do_not_share_what_is_counted() -> None:
    filters = [deploy(stage).one("cloudwatch:LogMetricFilter", "LoggedErrors").inputs for stage in STAGES]
    assert len({given["metricTransformation"]["namespace"] for given in filters}) == len(STAGES)


def test_tasks_that_stop_by_themselves_are_counted_and_kept(deployed: Deployment) -> None:
    rule = deployed.one("cloudwatch:EventRule", "stops")
    pattern = json.loads(rule.inputs["eventPattern"])
    detail = pattern["detail"]
    assert (pattern["source"], pattern["detail-type"], detail["lastStatus"]) == (["aws.ecs"], ["ECS Task State Change"], ["STOPPED"])
    assert deployed.one("ecs:Cluster", "gateway").id in detail["clusterArn"][0]
    assert detail["group"] == [f"service:{deployed.outputs['service']}"]
    assert detail["$or"] == [
        {"stopCode": ["EssentialContainerExited", "TaskFailedToStart"]},
        {"stoppedReason": [{"prefix": "Task failed"}]},
    ]
    (counted,) = series(alarms(deployed)["task-stops"])
    assert (counted["namespace"], counted["metricName"]) == ("AWS/Events", "Invocations")
    assert counted["dimensions"] == {"RuleName": rule.inputs["name"]}
    target = deployed.one("cloudwatch:EventTarget", "stops")
    group = deployed.one("cloudwatch:LogGroup", "stops")
    assert target.inputs["rule"] == rule.inputs["name"]
    assert group.id in target.inputs["arn"]
    assert ("cloudwatch:LogResourcePolicy", "stops") in target.depends_on


def test_only_the_rule_writes_to_the_log_of_stops(deployed: Deployment) -> None:
    streams, events = deployed.policy("cloudwatch:LogResourcePolicy", "stops", "policyDocument")
    rule, group = deployed.one("cloudwatch:EventRule", "stops"), deployed.one("cloudwatch:LogGroup", "stops")
    assert streams["Action"] == ["logs:CreateLogStream"]
    assert events["Action"] == ["logs:PutLogEvents"]
    assert rule.id in events["Condition"]["ArnEquals"]["aws:SourceArn"]
    for statement in (streams, events):
        assert statement["Principal"] == {"Service": ["delivery.logs.amazonaws.com", "events.amazonaws.com"]}
        (where,) = statement["Resource"]
        assert group.id in where
        assert where.endswith(":*")
