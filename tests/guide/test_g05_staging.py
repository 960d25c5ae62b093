"""G5: staging and production are apart in everything, so that a test cannot disturb the live app, and few can reach production."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.errors import SandboxError
from tests.infra.deployment import ACCOUNT, Deployment, deploy

NAMED = ("name", "namePrefix", "clusterName", "dashboardName", "alarmName", "replicationGroupId", "userId", "userGroupId")
"""What has a name that the program chooses: two stages of one account would meet there."""


def names(deployed: Deployment) -> set[tuple[str, str]]:
    return {(kind, resource.inputs[key]) for (kind, _), resource in deployed.resources.items() for key in NAMED if key in resource.inputs}


def test_no_name_of_one_stage_is_one_of_the_others(staging: Deployment, prod: Deployment) -> None:
    assert len(names(staging)) > 40
    assert not names(staging) & names(prod)


def test_nothing_of_one_stage_names_the_other(staging: Deployment, prod: Deployment) -> None:
    for deployed, other in ((staging, "openai-gateway-prod"), (prod, "openai-gateway-staging")):
        assert other not in json.dumps([resource.inputs for resource in deployed.resources.values()])


def test_each_stage_bills_its_own_project_and_reads_its_own_key(staging: Deployment, prod: Deployment) -> None:
    def own(deployed: Deployment) -> tuple[str, str]:
        (secret,) = (found for name, found in deployed.all("secretsmanager:Secret").items() if name == "openai-key")
        return deployed.environment()["OPENAI_PROJECT_ID"], secret.inputs["namePrefix"]

    assert not set(own(staging)) & set(own(prod))


def test_networks_do_not_overlap(staging: Deployment, prod: Deployment) -> None:
    ranges = [deployed.one("ec2:Vpc", "network").inputs["cidrBlock"] for deployed in (staging, prod)]
    assert len(set(ranges)) == 2, "they can be connected to one network of the company's"


def test_a_stage_is_deployed_to_no_other_account_than_its_own() -> None:
    def provider(deployed: Deployment) -> dict[str, Any]:
        return next(item["inputs"] for item in deployed.planned["resources"] if item["type"] == "pulumi:providers:aws")

    assert json.loads(provider(deploy("prod", allowedAccountIds=[ACCOUNT]))["allowedAccountIds"]) == [ACCOUNT]


def test_production_refuses_what_staging_may() -> None:
    with pytest.raises(SandboxError, match="a protected stage"):
        deploy("prod", allowPlainHttp=True, domain="", hostedZoneId="")


@pytest.fixture
def staging() -> Deployment:
    return deploy("staging")


@pytest.fixture
def prod() -> Deployment:
    return deploy("prod")
