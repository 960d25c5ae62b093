"""G3: somebody is told before the money is spent, and a budget that is met refuses requests at once, not when OpenAI notices."""

from __future__ import annotations

import json
import uuid

import openai
import pytest

from tests.conftest import Stack
from tests.infra.deployment import deploy


@pytest.mark.parametrize("stage", ["staging", "prod"])
def test_every_deployed_stage_has_a_budget_at_openai_and_one_at_aws(stage: str) -> None:
    deployed = deploy(stage)
    environment = deployed.environment()
    assert float(environment["GATEWAY_BUDGET_USD_PER_MONTH"]) > 0
    steps = {step: float(share) for share, step in (part.split(":") for part in environment["GATEWAY_LADDER"].split(","))}
    assert steps["alert"] < steps["stop"] == 1
    shares = [alarm.inputs["threshold"] for name, alarm in deployed.all("cloudwatch:MetricAlarm").items() if name.startswith("budget")]
    assert sorted(shares) == [80, 95], "mails go out before the budget is met"
    (aws,) = deployed.all("budgets:Budget").values()
    told = {(item["notificationType"], item["threshold"]) for item in aws.inputs["notifications"]}
    assert told == {("ACTUAL", 50), ("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100)}


def test_a_request_that_a_budget_has_no_room_for_never_reaches_openai(local: Stack) -> None:
    question = f"What may this cost? {uuid.uuid4()}"
    with local.caller(limits={"usd_per_month": 0.0001}) as client, pytest.raises(openai.RateLimitError) as refused:
        client.chat.completions.create(model="gpt-6.1-terra", messages=[{"role": "user", "content": question}])
    assert refused.value.code == "client_usd_per_month"
    assert question not in json.dumps(local.upstream_requests())
