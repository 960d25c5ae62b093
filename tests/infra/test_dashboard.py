"""The dashboard: what it draws exists, and all that the app emits is drawn."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from app.metrics import (
    CLIENT,
    COMPLETION_TOKENS,
    COST,
    ERRORS,
    KIND,
    LATENCY,
    METRICS,
    MODEL,
    NAMESPACE,
    PROMPT_TOKENS,
    REQUESTS,
    SAVED,
    STAGE,
    THROTTLED,
    TIME_TO_FIRST_TOKEN,
    Metric,
)
from infra.watch.graphs import each
from infra.watch.series import emitted
from tests.infra.deployment import STAGES, Deployment, deploy

BY_NAME = {metric.name: metric for metric in METRICS}
SEARCH = re.compile(r"""SEARCH\('\{([^}]+)\} MetricName="(\w+)" Stage="([\w-]+)"', '(\w+)', (\d+)\)""")


def widgets(deployed: Deployment) -> list[dict[str, Any]]:
    body = json.loads(deployed.one("cloudwatch:Dashboard", "dashboard").inputs["dashboardBody"])
    assert isinstance(body["widgets"], list)
    return body["widgets"]


def lines(deployed: Deployment) -> Iterator[tuple[dict[str, Any], list[Any]]]:
    for widget in widgets(deployed):
        for line in widget["properties"].get("metrics", ()):
            yield widget["properties"], line


def drawn(deployed: Deployment) -> set[tuple[str, frozenset[str]]]:
    """The app's metrics on the page, each with the names of its dimensions."""
    found = set()
    for _, line in lines(deployed):
        if line[0] == NAMESPACE:
            assert line[2:4] == [STAGE, deployed.environment()["GATEWAY_STAGE"]]
            found.add((line[1], frozenset(line[2:-1:2])))
        elif search := SEARCH.fullmatch(line[-1].get("expression", "")):
            namespace, *dimensions = search[1].split(",")
            assert (namespace, search[3]) == (NAMESPACE, deployed.environment()["GATEWAY_STAGE"])
            assert line[-1]["label"] == f"${{PROP('Dim.{dimensions[-1]}')}}"
            found.add((search[2], frozenset(dimensions)))
    return found


def test_it_draws_only_what_the_app_emits(deployed: Deployment) -> None:
    for name, dimensions in drawn(deployed):
        assert dimensions in map(frozenset, BY_NAME[name].dimension_sets), f"{name} of {sorted(dimensions)}"


def test_everything_that_the_app_emits_is_drawn(deployed: Deployment) -> None:
    assert {name for name, _ in drawn(deployed)} == BY_NAME.keys()


@pytest.mark.parametrize(
    ("metric", "by"),
    [
        (REQUESTS, CLIENT),
        (REQUESTS, MODEL),
        (ERRORS, KIND),
        (LATENCY, MODEL),
        (TIME_TO_FIRST_TOKEN, MODEL),
        (PROMPT_TOKENS, MODEL),
        (COMPLETION_TOKENS, MODEL),
        (COST, CLIENT),
        (COST, MODEL),
        (SAVED, MODEL),
        (THROTTLED, KIND),
    ],
)
def test_it_tells_apart_by_client_model_and_kind(deployed: Deployment, metric: Metric, by: str) -> None:
    assert (metric.name, frozenset({STAGE, by})) in drawn(deployed)


def test_a_graph_of_what_the_app_does_not_emit_is_refused() -> None:
    with pytest.raises(ValueError, match="Cost by Kind"):
        each(COST, KIND, "prod", "Sum")
    with pytest.raises(ValueError, match="Cost of Stage, Kind"):
        emitted(COST, "prod", "Sum", Kind="quota")


def test_expressions_use_what_stands_on_the_same_graph(deployed: Deployment) -> None:
    seen = 0
    for properties, line in lines(deployed):
        expression = line[-1].get("expression", "")
        if expression and not expression.startswith("SEARCH("):
            ids = {other[-1].get("id") for other in properties["metrics"]}
            used = set(re.findall(r"\b[a-z]\w*", expression))
            assert used
            assert used <= ids, expression
            seen += 1
    assert seen >= 3


def test_what_is_aws_own_belongs_to_the_stage(deployed: Deployment) -> None:
    values = {str(part) for _, line in lines(deployed) if line[0] != NAMESPACE for part in line[3:-1:2]}
    known = {resource.id for resource in deployed.resources.values()} | {deployed.outputs["cluster"], "ALL", "us-east-1"}
    assert values
    assert all(any(one in value for one in known) for value in values), values


def test_nothing_stands_on_something_else(deployed: Deployment) -> None:
    taken: set[tuple[int, int]] = set()
    for widget in widgets(deployed):
        assert widget["x"] >= 0
        assert widget["x"] + widget["width"] <= 24
        assert widget["width"] >= 4
        across, down = range(widget["x"], widget["x"] + widget["width"]), range(widget["y"], widget["y"] + widget["height"])
        cells = set(product(across, down))
        assert not taken & cells
        taken |= cells
    assert len(widgets(deployed)) <= 100


def test_levels_to_compare_with_are_the_stages_own() -> None:
    deployed = deploy("prod", targetInFlight=17, maxTasks=9, targetCpuPercent=55, workers=3)
    levels = {
        widget["properties"]["title"]: widget["properties"]["annotations"]["horizontal"][0]["value"]
        for widget in widgets(deployed)
        if "annotations" in widget["properties"]
    }
    assert levels == {"In flight": 17, "Tasks": 9, "CPU of tasks": 55, "Month's budget": 100}
    (in_flight,) = [line[-1]["expression"] for _, line in lines(deployed) if "worker" in line[-1].get("expression", "")]
    assert in_flight == "worker * 3", "the app tells what a worker has, scaling aims at a task"


def test_money_of_the_month_is_shown_in_dollars() -> None:
    expressions = {stage: {line[-1].get("expression") for _, line in lines(deploy(stage))} for stage in STAGES}
    assert "share / 100 * 2000" in expressions["prod"]
    assert "share / 100 * 100" in expressions["staging"]
    assert not [one for one in expressions["local"] if one and one.startswith("share")], "no budget, nothing to spend of it"
    assert all("age / 86400" in found for found in expressions.values())


def test_every_alarm_stands_on_it(deployed: Deployment) -> None:
    (states,) = [widget for widget in widgets(deployed) if widget["type"] == "alarm"]
    wanted = [resource.id for kind in ("cloudwatch:MetricAlarm", "cloudwatch:CompositeAlarm") for resource in deployed.all(kind).values()]
    assert len(states["properties"]["alarms"]) == len(wanted) <= 100
    assert all(any(one in arn for arn in states["properties"]["alarms"]) for one in wanted)


def test_its_address_is_an_output(deployed: Deployment) -> None:
    name = deployed.one("cloudwatch:Dashboard", "dashboard").inputs["dashboardName"]
    wanted = f"https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#dashboards/dashboard/{name}"
    assert deployed.outputs["dashboard"] == wanted


def test_the_same_page_is_always_the_same_text(deployed: Deployment) -> None:
    body = deployed.one("cloudwatch:Dashboard", "dashboard").inputs["dashboardBody"]
    assert body == json.dumps(json.loads(body), sort_keys=True)
