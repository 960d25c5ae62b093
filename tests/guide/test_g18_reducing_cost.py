"""G3, G18: a budget that is kept as it is spent, and cheaper ways before it is gone."""

from __future__ import annotations

import uuid

import openai
import pytest

from tests.conftest import Stack
from tests.infra.deployment import deploy


def test_a_caller_cannot_spend_more_than_its_day(local: Stack) -> None:
    with local.caller(limits={"usd_per_day": 0.0001}) as client, pytest.raises(openai.RateLimitError) as refused:
        client.chat.completions.create(model="gpt-6.1-terra", messages=[{"role": "user", "content": f"Spend {uuid.uuid4()}"}])
    assert refused.value.code == "client_usd_per_day"
    assert refused.value.type == "insufficient_quota"


def test_each_stage_has_a_budget_and_a_ladder() -> None:
    budgets = {stage: float(deploy(stage).environment()["GATEWAY_BUDGET_USD_PER_MONTH"]) for stage in ("staging", "prod")}
    assert 0 < budgets["staging"] < budgets["prod"]
    assert all("stop" in deploy(stage).environment()["GATEWAY_LADDER"] for stage in budgets)
