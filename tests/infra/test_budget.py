from __future__ import annotations

import json
from typing import Any

import pytest

from infra.config.stage import Stage
from tests.infra.deployment import Deployment, deploy
from tests.infra.estimates import STAGED


@pytest.mark.parametrize("name", ["prod", "staging"])
def test_a_budget_of_the_ceiling_tells_the_topic_on_the_way(name: str) -> None:
    deployed = deploy(name)
    budget = deployed.one("budgets:Budget", "aws").inputs
    assert (budget["budgetType"], budget["timeUnit"], budget["limitUnit"]) == ("COST", "MONTHLY", "USD")
    assert budget["limitAmount"] == str(STAGED[name].cost_ceiling_usd)
    told = {(notice["notificationType"], notice["threshold"]) for notice in budget["notifications"]}
    assert told == {("ACTUAL", 50), ("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100)}
    assert len(budget["notifications"]) <= 5, "AWS takes five at most"
    for notice in budget["notifications"]:
        assert (notice["comparisonOperator"], notice["thresholdType"]) == ("GREATER_THAN", "PERCENTAGE")
        assert notice["subscriberSnsTopicArns"] == [deployed.one("sns:TopicPolicy", "alarms").inputs["arn"]], "one topic at most"


def test_it_counts_what_carries_the_tags_that_everything_carries(prod: Deployment) -> None:
    """Budgets writes a tag that people gave as user:key$value; without the prefix it counts nothing, and says nothing of it."""
    (counted,) = prod.one("budgets:Budget", "aws").inputs["costFilters"]
    assert counted == {"name": "TagKeyValue", "values": ["user:project$openai-gateway", "user:stage$prod"]}
    tags = prod.one("pulumi:aws", "aws").inputs["defaultTags"]
    for value in counted["values"]:
        key, _, wanted = value.removeprefix("user:").partition("$")
        assert tags_of(tags)[key] == wanted
    assert prod.one("ecs:Service", "gateway").inputs["propagateTags"] == "SERVICE", "tasks, which Fargate bills, carry them too"


def tags_of(default: Any) -> dict[str, str]:
    found = json.loads(default) if isinstance(default, str) else default
    return dict(found["tags"])


def test_without_a_ceiling_there_is_none() -> None:
    assert not deploy("local").all("budgets:Budget")
    assert Stage.model_fields["cost_ceiling_usd"].is_required()


def test_budgets_of_stages_in_one_account_have_different_names() -> None:
    names = {deploy(name).one("budgets:Budget", "aws").inputs["name"] for name in ("prod", "staging")}
    assert len(names) == 2
    assert all(":" not in name and "\\" not in name and len(name) <= 100 for name in names)
