"""The estimate against what the program deploys: nothing without a price, and nothing counted that is not there."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from infra.config.traffic import MONTH_H
from infra.cost.month import month
from infra.cost.prices import PATH, Prices
from tests.infra.deployment import STAGES, Deployment, deploy
from tests.infra.estimates import ENDPOINTS, REGIONS, stage

VARIANTS: dict[str, dict[str, object]] = {
    "everything": {"natGateways": "perZone", "interfaceEndpoints": list(ENDPOINTS), "cacheReplicas": 2, "region": "us-west-1"},
    "busy": {"busyMinTasks": 3, "trafficRequestsPerDay": 10_000_000, "monthlyBudgetUsd": 0},
}


def kinds(deployed: Deployment) -> set[str]:
    """The types of what is deployed; all of it stands in a component, but the components and the provider."""
    items = {kind: resource.inputs for (kind, _), resource in deployed.resources.items() if resource.parent}
    endpoints = {resource.inputs.get("vpcEndpointType") for resource in deployed.all("ec2:VpcEndpoint").values()}
    gateway = {"ec2:VpcEndpoint (Gateway)"} if "Gateway" in endpoints else set()
    return items.keys() - ({"ec2:VpcEndpoint"} if endpoints <= {"Gateway"} else set()) | gateway


def deployments() -> list[Any]:
    found: list[Any] = [pytest.param(name, {}, id=name) for name in STAGES]
    return found + [pytest.param("staging", {"costCeilingUsd": 0} | overrides, id=name) for name, overrides in VARIANTS.items()]


@pytest.mark.parametrize(("name", "overrides"), deployments())
def test_every_resource_has_a_price_or_a_reason_to_be_free(name: str, overrides: dict[str, object]) -> None:
    """A new resource fails here until it is priced, by a line of `infra/cost/consumption.py`, or listed under `free` in prices.json."""
    deployed, found = deploy(name, **overrides), month(stage(name, **overrides))
    prices = Prices.load(found.region)
    priced = {kind for line in found.lines for kind in prices.types[line.use.item]}
    assert not kinds(deployed) - priced - prices.free.keys(), "neither priced nor free"
    assert not priced & prices.free.keys()


def metrics_in(alarm: dict[str, Any]) -> int:
    return sum("metric" in query for query in alarm.get("metricQueries") or []) or 1


COUNTS: dict[str, Callable[[Deployment], float]] = {
    "balancer": lambda made: len(made.all("lb:LoadBalancer")) * MONTH_H,
    "public addresses": lambda made: (len(made.all("ec2:Eip")) + len(made.one("lb:LoadBalancer", "gateway").inputs["subnets"])) * MONTH_H,
    "NAT gateways": lambda made: len(made.all("ec2:NatGateway")) * MONTH_H,
    "interface endpoints": lambda made: sum(len(it.inputs.get("subnetIds", [])) for it in made.all("ec2:VpcEndpoint").values()) * MONTH_H,
    "cache": lambda made: made.one("elasticache:ReplicationGroup", "cache").inputs["numCacheClusters"] * MONTH_H,
    "encryption key": lambda made: len(made.all("kms:Key")),
    "secrets": lambda made: len(made.all("secretsmanager:Secret")),
    "firewall": lambda made: len(made.all("wafv2:WebAcl")),
    "firewall: rules": lambda made: sum(len(acl.inputs["rules"]) for acl in made.all("wafv2:WebAcl").values()),
    "alarms": lambda made: (
        sum(metrics_in(alarm.inputs) for alarm in made.all("cloudwatch:MetricAlarm").values()) + 2 * len(made.all("appautoscaling:Policy"))
    ),
    "alarms of alarms": lambda made: len(made.all("cloudwatch:CompositeAlarm")),
    "metrics from log lines": lambda made: len(made.all("cloudwatch:LogMetricFilter")),
    "dashboard": lambda made: len(made.all("cloudwatch:Dashboard")),
    "images": lambda made: 2 * len(made.all("ecr:Repository")),
}


@pytest.mark.parametrize("what", COUNTS)
@pytest.mark.parametrize(("name", "overrides"), deployments())
def test_what_is_counted_is_what_is_deployed(name: str, overrides: dict[str, object], what: str) -> None:
    lines = {line.use.what: line.use.quantity for line in month(stage(name, **overrides)).lines}
    assert lines.get(what, 0) == COUNTS[what](deploy(name, **overrides)), "infra/cost/assumptions.py or infra/cost/consumption.py is behind"


@pytest.mark.parametrize("name", STAGES)
def test_what_else_the_estimate_takes_for_granted_is_deployed(name: str) -> None:
    deployed = deploy(name)
    (setting,) = deployed.one("ecs:Cluster", "gateway").inputs["settings"]
    assert setting["value"] == "enabled", "Container Insights' other level has another price"
    assert all(
        metrics_in(alarm.inputs) and alarm.inputs.get("period", 60) >= 60 for alarm in deployed.all("cloudwatch:MetricAlarm").values()
    )
    assert not deployed.one("elasticache:ReplicationGroup", "cache").inputs.get("snapshotRetentionLimit", 0) > 1, (
        "more backups have a price"
    )


def test_every_price_stands_once_for_each_region_and_says_where_it_is_from() -> None:
    document = json.loads(PATH.read_text())
    assert date.fromisoformat(document["date"]) <= date.today()  # noqa: DTZ011  the day is enough
    for item, entry in document["prices"].items():
        assert sorted(region for row in entry["at"] for region in row["regions"]) == sorted(REGIONS), item
        for row in entry["at"]:
            assert row["source"] in document["sources"], item
            assert isinstance(row["checked"], bool), item
            values = row["usd"].values() if isinstance(row["usd"], dict) else [row["usd"]]
            assert all(value > 0 for value in values), item
    assert all(reason for reason in document["free"].values())


def test_the_same_nodes_have_a_price_in_all_regions_but_for_new_ones_in_north_california() -> None:
    east, west = set(Prices.load("us-east-1").variants("cache-node")), set(Prices.load("us-west-1").variants("cache-node"))
    assert east == set(Prices.load("us-east-2").variants("cache-node")) == set(Prices.load("us-west-2").variants("cache-node"))
    assert {node for node in east - west if node.split(".")[1] not in ("m8g", "r8g")} == set()
    assert west <= east


def test_no_price_and_no_free_type_is_left_over() -> None:
    used, seen = set(), set()
    for name, overrides in [(name, {}) for name in STAGES] + [("staging", {"costCeilingUsd": 0} | found) for found in VARIANTS.values()]:
        used |= {line.use.item for line in month(stage(name, **overrides)).lines}
        seen |= kinds(deploy(name, **overrides))
    prices = Prices.load("us-east-1")
    assert used == prices.types.keys()
    assert prices.free.keys() <= seen
    assert {kind for brought in prices.types.values() for kind in brought} <= seen
