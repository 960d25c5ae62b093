"""Where tasks run: Fargate, and Fargate Spot."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from infra.capacity import FARGATE, SPOT, strategies
from tests.infra.deployment import Deployment, deploy


def shares(deployed: Deployment) -> dict[str, tuple[int, int]]:
    """Base and weight by provider."""
    found: list[dict[str, Any]] = deployed.one("ecs:Service", "gateway").inputs["capacityProviderStrategies"]
    return {item["capacityProvider"]: (item.get("base", 0), item["weight"]) for item in found}


@pytest.mark.parametrize(("percent", "expected"), [(0, {FARGATE: (0, 100)}), (30, {FARGATE: (2, 70), SPOT: (0, 30)})])
def test_the_fewest_tasks_are_never_taken_away(percent: int, expected: dict[str, tuple[int, int]]) -> None:
    assert shares(deploy("staging", spotPercent=percent, minTasks=2)) == expected


def test_staging_grows_on_spot_and_prod_does_not(staging: Deployment, prod: Deployment) -> None:
    assert shares(staging) == {FARGATE: (2, 0), SPOT: (0, 100)}
    assert shares(prod) == {FARGATE: (0, 100)}


def test_turning_spot_on_or_off_never_replaces_the_service(deployed: Deployment) -> None:
    service = deployed.one("ecs:Service", "gateway").inputs
    assert "launchType" not in service, "AWS takes one or the other, and the provider replaces a service that gets a launch type"
    assert service["forceNewDeployment"] is True, "or the provider refuses to change the strategies"


def test_the_cluster_has_the_providers_before_the_service_uses_them(deployed: Deployment) -> None:
    providers = deployed.one("ecs:ClusterCapacityProviders", "gateway").inputs
    assert set(providers["capacityProviders"]) == {FARGATE, SPOT}
    assert providers["clusterName"] == deployed.outputs["cluster"]
    assert ("ecs:ClusterCapacityProviders", "gateway") in deployed.one("ecs:Service", "gateway").depends_on


def test_a_task_drains_before_spot_takes_its_place(deployed: Deployment) -> None:
    warning_s = 120  # between SIGTERM and the end, as AWS says
    assert float(deployed.environment()["GATEWAY_DRAIN_S"]) < deployed.container()["stopTimeout"] <= warning_s


@given(st.integers(1, 1000), st.integers(0, 100))
def test_strategies_are_such_as_ecs_takes(min_tasks: int, percent: int) -> None:
    made = strategies(min_tasks, percent)
    weights = {item.capacity_provider: item.weight for item in made}
    assert len(weights) == len(made) <= 20
    assert all(0 <= weight <= 1000 for weight in weights.values())
    assert max(weights.values()) > 0, "or no task could be placed"
    assert sum(weights.values()) == 100
    assert weights.get(SPOT, 0) == percent
    assert [item.base for item in made if item.base] == ([min_tasks] if percent else []), "only one may have a base"
