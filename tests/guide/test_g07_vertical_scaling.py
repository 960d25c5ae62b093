"""G7: bigger nodes, and a design that uses what they add."""

from __future__ import annotations

import pytest

from tests.infra.deployment import deploy


@pytest.mark.parametrize(("cpu", "memory", "workers"), [(256, 512, "1"), (1024, 2048, "1"), (2048, 4096, "2"), (8192, 16384, "8")])
def test_worker_processes_follow_the_vcpus(cpu: int, memory: int, workers: str) -> None:
    deployed = deploy("staging", taskCpu=cpu, taskMemoryMiB=memory, costCeilingUsd=0)
    definition = deployed.one("ecs:TaskDefinition", "gateway").inputs
    assert (definition["cpu"], definition["memory"]) == (str(cpu), str(memory))
    assert deployed.environment()["GATEWAY_WORKERS"] == workers
