"""G6: more containers share the load, and none of them holds state that another lacks."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.conftest import Stack
from tests.infra.deployment import STAGES, deploy


@pytest.mark.parametrize("stage", STAGES)
def test_the_number_of_tasks_follows_the_load(stage: str) -> None:
    deployed = deploy(stage)
    target = deployed.one("appautoscaling:Target", "tasks").inputs
    assert 2 <= target["minCapacity"] < target["maxCapacity"]
    policies = deployed.all("appautoscaling:Policy")
    assert policies.keys() == {"cpu", "in-flight"}
    for policy in policies.values():
        configuration = policy.inputs["targetTrackingScalingPolicyConfiguration"]
        assert configuration["scaleOutCooldown"] < configuration["scaleInCooldown"], "fast out, slow in"
    assert "desiredCount" in deployed.one("ecs:Service", "gateway").ignore_changes, "a deployment does not undo the scaling"


def test_what_one_task_cached_another_answers(local: Stack) -> None:
    question = f"Asked of every task {uuid.uuid4()}"
    seen: list[Any] = []

    def ask() -> str:
        messages: Any = [{"role": "user", "content": question}]
        seen.append(local.client().chat.completions.with_raw_response.create(model="gpt-6.1-terra", messages=messages))
        return str(seen[-1].headers["x-cache"])

    assert ask() == "miss"
    local.until_kept(ask)
    assert [ask() for _ in range(7)] == ["hit"] * 7
    asked = [answer.headers["x-request-id"] for answer in seen]

    def by_all_tasks() -> None:
        tasks = {line.split()[0] for line in local.log().splitlines() if any(identifier in line for identifier in asked)}
        assert len(tasks) == len(local.described["tasks"]) == 2

    local.until(by_all_tasks, 10)  # a log line may come a moment after its answer
