"""G3, G16, G20: what is deployed watches what the running app says of itself: use, cost, errors, and how near its limits it is."""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from typing import Any

import openai
import pytest

from app.metrics import METRICS, NAMESPACE, THROTTLE_KINDS
from tests.conftest import Stack

MODEL = "gpt-6.1-terra"
SEARCH = re.compile(r"SEARCH\('\{OpenAIGateway,Stage,(\w+)\} MetricName=\"(\w+)\" Stage=\"local\"'")
Wanted = set[tuple[str, frozenset[tuple[str, str]]]]
"""Metrics by their name and dimensions; an empty value stands for any."""


def ask(client: openai.OpenAI, text: str = "", *, stream: bool = False) -> None:
    question: Any = [{"role": "user", "content": text or f"Hello {uuid.uuid4()}"}]
    answer = client.chat.completions.create(model=MODEL, messages=question, stream=stream)
    if stream:
        for _ in answer:
            pass


def provoke(stack: Stack) -> None:
    """Everything that the app counts: answers, streams, hits, retries, errors and all four kinds of 429."""
    client, again = stack.client(), f"Again {uuid.uuid4()}"
    for text in (again, again):
        ask(client, text)
    ask(client, stream=True)
    for kind in ("rate_limit", "server_error"):
        stack.fault(kind=kind, times=1)
        ask(client)
    for kind in ("insufficient_quota", "project_spend_limit"):
        stack.fault(kind=kind, times=1)
        with pytest.raises(openai.RateLimitError):
            ask(client)
    with stack.caller(limits={"requests_per_minute": 1}) as limited, contextlib.suppress(openai.RateLimitError):
        for _ in range(4):
            ask(limited)


def emitted(stack: Stack) -> Wanted:
    """What the app wrote into its log, as CloudWatch reads it; with any value, and with each."""
    found: Wanted = set()
    for line in stack.log().splitlines():
        if '"_aws"' not in line:
            continue
        said = json.loads(line[line.index("{") :])
        for directive in said["_aws"]["CloudWatchMetrics"]:
            assert directive["Namespace"] == NAMESPACE
            for metric in directive["Metrics"]:
                for names in directive["Dimensions"]:
                    found.add((metric["Name"], frozenset((name, said[name]) for name in names)))
                    found.add((metric["Name"], frozenset((name, said[name] if name == "Stage" else "") for name in names)))
    return found


def alarms(stack: Stack) -> list[dict[str, Any]]:
    """The stage's own, beside those that autoscaling makes for itself."""
    own = stack.described["outputs"]["cluster"]
    return list(stack.aws("cloudwatch").describe_alarms(MaxRecords=100, AlarmNamePrefix=own)["MetricAlarms"])


def watched(stack: Stack) -> Wanted:
    """What the alarms ask for."""
    found: Wanted = set()
    for alarm in alarms(stack):
        asked = [query["MetricStat"]["Metric"] for query in alarm.get("Metrics", []) if "MetricStat" in query] or [alarm]
        for metric in asked:
            if metric["Namespace"] == NAMESPACE:
                found.add((metric["MetricName"], frozenset((one["Name"], one["Value"]) for one in metric["Dimensions"])))
    return found


def drawn(stack: Stack) -> Wanted:
    """What the dashboard asks for."""
    found: Wanted = set()
    (page,) = stack.aws("cloudwatch").list_dashboards()["DashboardEntries"]
    body = json.loads(stack.aws("cloudwatch").get_dashboard(DashboardName=page["DashboardName"])["DashboardBody"])
    for widget in body["widgets"]:
        for line in widget["properties"].get("metrics", ()):
            if line[0] == NAMESPACE:
                found.add((line[1], frozenset(zip(line[2:-1:2], line[3:-1:2], strict=True))))
            elif search := SEARCH.match(line[-1].get("expression", "")):
                found.add((search[2], frozenset({("Stage", "local"), (search[1], "")})))
    return found


def test_the_app_writes_what_alarms_and_dashboard_ask_for(local: Stack) -> None:
    asked = watched(local) | drawn(local)
    assert {name for name, _ in asked} == {metric.name for metric in METRICS}
    assert {dict(having)["Kind"] for name, having in asked if name == "Throttled" and "Kind" in dict(having)} == {"", *THROTTLE_KINDS}
    provoke(local)

    def written() -> None:
        assert not asked - emitted(local)

    local.until(written)


def test_every_alarm_is_deployed_and_tells_the_topic(local: Stack) -> None:
    (topic,) = local.aws("sns").list_topics()["Topics"]
    assert len(alarms(local)) > 20
    assert all(alarm["AlarmActions"] == [topic["TopicArn"]] for alarm in alarms(local))
    attributes = local.aws("sns").get_topic_attributes(TopicArn=topic["TopicArn"])["Attributes"]
    assert attributes["KmsMasterKeyId"]
    assert "aws:SecureTransport" in attributes["Policy"]
