from __future__ import annotations

import math

import pulumi
import pytest
from hypothesis import given, strategies as st

from app.metrics import METRICS, MODEL
from infra.config import stack
from infra.config.fargate import MEMORY_MIB
from infra.config.stage import Stage
from infra.config.traffic import MONTH_H
from infra.cost.consumption import Consumption, series
from infra.cost.month import above_ceiling, month
from sandbox.errors import SandboxError
from tests.infra.deployment import deploy
from tests.infra.estimates import STAGED, SUBNETS, changed, stage, stages, usd


@given(stages())
def test_no_part_is_negative_and_all_parts_are_the_whole(any_stage: Stage) -> None:
    found = month(any_stage)
    assert all(line.usd > 0 and math.isfinite(line.usd) for line in found.lines)
    assert found.usd == pytest.approx(sum(line.usd for line in found.lines))
    assert found.usd == found.fixed_usd + found.traffic_usd
    assert not found.unpriced


@given(stages())
def test_any_stage_costs_what_each_must_have(any_stage: Stage) -> None:
    """The balancer with two addresses, the smallest task, the smallest cache node, key, secrets, firewall, dashboard."""
    hours = 0.0225 + 2 * 0.005 + 0.25 * 0.03238 + 0.5 * 0.00356 + 0.0128
    assert month(any_stage).fixed_usd > MONTH_H * hours + 1 + 0.8 + 9 + 3


DEARER = (
    "traffic_requests_per_day",
    "traffic_prompt_tokens",
    "traffic_output_tokens",
    "traffic_seconds",
    "max_tasks",
    "cache_replicas",
    "zones",
    "log_retention_days",
)
CHEAPER = ("traffic_cache_hit_percent", "spot_percent", "secret_ttl_seconds", "health_check_interval_seconds", "target_in_flight")
MOST = {"traffic_cache_hit_percent": 100, "spot_percent": 100}


@pytest.mark.parametrize("field", DEARER + CHEAPER)
@given(stages(), st.integers(1, 10**6))
def test_more_of_it_moves_the_cost_one_way_only(field: str, any_stage: Stage, more: int) -> None:
    value = min(getattr(any_stage, field) + more, MOST.get(field, 10**10))
    before, after = month(any_stage).usd, month(changed(any_stage, **{field: value})).usd
    slack = 1e-9 * before
    assert after >= before - slack if field in DEARER else after <= before + slack


@given(stages(), st.sampled_from(sorted(MEMORY_MIB)))
def test_a_bigger_task_costs_more(any_stage: Stage, cpu: int) -> None:
    bigger = changed(any_stage, task_cpu=max(cpu, any_stage.task_cpu), task_memory_mib=any_stage.task_memory_mib + 1024)
    assert month(bigger).usd > month(any_stage).usd


@given(stages())
def test_one_more_task_at_all_times_costs_at_least_that_task_in_quiet_hours(any_stage: Stage) -> None:
    more = changed(any_stage, min_tasks=any_stage.min_tasks + 1, max_tasks=any_stage.max_tasks + 1)
    quiet = 365 * 0.25 * 0.03238
    assert month(more).usd > month(any_stage).usd + quiet


@given(stages())
def test_busy_tasks_stay_within_the_bounds(any_stage: Stage) -> None:
    assert max(any_stage.min_tasks, any_stage.busy_min_tasks) <= Consumption(any_stage).busy_tasks <= any_stage.max_tasks


def test_tasks_follow_littles_law() -> None:
    """86,400 requests in the 12 busy hours of a day are 2 a second; at 50 seconds each, 100 are in flight: 5 tasks at 20 each."""
    busy = {"trafficRequestsPerDay": 86_400, "trafficCacheHitPercent": 0, "trafficSeconds": 50}
    found = stage("prod", **busy)
    assert found.traffic.in_flight == pytest.approx(100)
    assert Consumption(found).busy_tasks == 5
    assert Consumption(changed(found, max_tasks=4)).busy_tasks == 4
    assert usd(month(found), "tasks in busy hours: vCPU") == pytest.approx(2 * 365 * 0.03238)
    spot = month(changed(found, spot_percent=50))
    assert usd(spot, "tasks in busy hours: vCPU") == pytest.approx(365 * 0.03238)
    assert usd(spot, "tasks in busy hours, Spot: vCPU") == pytest.approx(365 * 0.01133)


@pytest.mark.parametrize(
    ("what", "dollars"),
    [
        ("tasks that always run: vCPU", 3 * 1 * 730 * 0.03238),
        ("tasks that always run: memory", 3 * 2 * 730 * 0.00356),
        ("balancer", 730 * 0.0225),
        ("public addresses", (3 + 3) * 730 * 0.005),
        ("NAT gateways", 3 * 730 * 0.045),
        ("cache", 3 * 730 * 0.1264),
        ("encryption key", 1),
        ("secrets", 0.8),
        ("secrets: reads", 2 * 3 * 730 * 3600 / 30 / 10_000 * 0.05),
        ("firewall", 5),
        ("firewall: requests", 100_000 * 730 / 24 / 1e6 * 0.6),
        ("answers to callers, over the internet", 100_000 * 730 / 24 * (2000 + 500 * 250) / 1e9 * 0.09),
        ("dashboard", 3),
    ],
)
def test_productions_bill_by_hand(what: str, dollars: float) -> None:
    assert usd(month(stage("prod", trafficRequestsPerDay=100_000)), what) == pytest.approx(dollars)


def test_logs_that_are_kept_longer_are_kept_in_proportion() -> None:
    short, long = (usd(month(stage("prod", logRetentionDays=days)), "logs in CloudWatch") for days in (30, 365))
    assert long == pytest.approx(short * 365 / 30)


def test_a_network_of_ones_own_brings_neither_nat_nor_flow_logs() -> None:
    ids = {"vpcId": "vpc-12345678", "publicSubnetIds": list(SUBNETS[:2]), "privateSubnetIds": list(SUBNETS[2:])}
    found = {line.use.what for line in month(stage("staging", **ids)).lines}
    assert not [what for what in found if "NAT" in what or "flow" in what]
    assert "balancer" in found


def test_endpoints_take_traffic_from_nat_and_cost_by_zone() -> None:
    without, with_logs = month(STAGED["staging"]), month(stage("staging", interfaceEndpoints=["logs"]))
    assert usd(with_logs, "interface endpoints") == pytest.approx(2 * 730 * 0.01)
    gb = usd(with_logs, "interface endpoints: data") / 0.01
    assert usd(without, "NAT gateways: data") - usd(with_logs, "NAT gateways: data") == pytest.approx(gb * 0.045)


def test_series_are_counted_by_what_dimensions_take() -> None:
    """One model more is one series more of each metric that has the dimension Model."""
    assert series(2) - series(1) == sum(MODEL in metric.dimensions for metric in METRICS)


def test_north_california_costs_more() -> None:
    assert month(stage("staging", region="us-west-1")).usd > month(STAGED["staging"]).usd
    assert month(stage("staging", region="us-west-2")).usd == month(STAGED["staging"]).usd


def test_a_node_without_a_price_is_named_and_never_free() -> None:
    found = month(stage("staging", cacheNodeType="cache.m9g.large"))
    assert [use.variant for use in found.unpriced] == ["cache.m9g.large"]
    assert found.usd == pytest.approx(month(STAGED["staging"]).usd - 730 * 0.0128)


def test_a_ceiling_below_the_estimate_is_refused_with_the_largest_parts_and_what_changes_them() -> None:
    with pytest.raises(SandboxError) as refused:
        deploy("staging", costCeilingUsd=100, minTasks=9)
    lines = str(refused.value).split("\n  ")[1:]
    assert len(lines) == 2, "with all other problems"
    assert lines[1].startswith("costCeilingUsd = 100: AWS is estimated at 2")
    assert "most of it for tasks that always run: vCPU 106.37 (by minTasks, taskCpu); NAT gateways 32.85 (by natGateways" in lines[1]


@given(stages(), st.integers(1, 10**6))
def test_a_ceiling_holds_exactly_what_the_estimate_says(any_stage: Stage, ceiling: int) -> None:
    found = list(above_ceiling(changed(any_stage, cost_ceiling_usd=ceiling)))
    assert bool(found) == (month(any_stage).usd > ceiling)
    enough = int(month(any_stage).usd) + 1
    assert not found or f"allowed: {enough} or more" in found[0]
    assert not list(above_ceiling(changed(any_stage, cost_ceiling_usd=enough)))


def test_a_ceiling_that_cannot_be_held_is_refused_by_name() -> None:
    with pytest.raises(
        pulumi.RunError, match=r"cacheNodeType = 'cache.m9g.large': .*no price for it in us-east-1, so costCeilingUsd = 225"
    ):
        Stage.read(stack.values("staging", {"cacheNodeType": "cache.m9g.large"}), project="openai-gateway", name="staging")
    assert stage("local", cacheNodeType="cache.m9g.large"), "without a ceiling nobody asks"


@pytest.mark.parametrize("name", ["prod", "staging"])
def test_committed_ceilings_leave_headroom_and_bound_something(name: str) -> None:
    assert 1.3 < STAGED[name].cost_ceiling_usd / month(STAGED[name]).usd < 1.8
