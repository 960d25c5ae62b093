"""G9: requests are spread evenly over the tasks that are healthy, in several zones."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.conftest import Stack
from tests.infra.deployment import STAGES, deploy


@pytest.mark.parametrize("stage", STAGES)
def test_a_balancer_in_several_zones_looks_at_readiness(stage: str) -> None:
    deployed = deploy(stage)
    group = deployed.one("lb:TargetGroup", "tasks").inputs
    assert group["loadBalancingAlgorithmType"] == "least_outstanding_requests"
    assert group["healthCheck"]["path"] == "/readyz"
    assert len(deployed.one("lb:LoadBalancer", "gateway").inputs["subnets"]) >= 2
    zones = {subnet.inputs["availabilityZone"] for name, subnet in deployed.all("ec2:Subnet").items() if name.startswith("public")}
    assert len(zones) == len(deployed.one("lb:LoadBalancer", "gateway").inputs["subnets"])


def test_requests_reach_all_tasks_evenly(local: Stack) -> None:
    asked = [local.client().models.with_raw_response.list().headers["x-request-id"] for _ in range(20)]

    def evenly() -> None:
        served = Counter(line.split()[0] for line in local.log().splitlines() if any(identifier in line for identifier in asked))
        assert sorted(served.values()) == [10, 10]

    local.until(evenly, 10)  # a log line may come a moment after its answer
