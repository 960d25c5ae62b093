"""Who may use the stage's key, and who only looks after it."""

from __future__ import annotations

import json

import pytest

from infra.keys import ADMINISTER, GRANT, USE
from tests.infra.access import Call, allowed
from tests.infra.deployment import ACCOUNT, Deployment, deploy

OTHER = "999999999999"
REGION = "us-east-1"
OPERATOR = {"AWS": f"arn:aws:iam::{ACCOUNT}:role/operator"}
ALARMS = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:any"}
BUDGETS = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": f"arn:aws:budgets::{ACCOUNT}:budget/any"}


def may(deployed: Deployment, action: str, principal: dict[str, str], **context: str) -> bool:
    return allowed(deployed.policy("kms:Key", "key"), Call(action, principal=principal, context=context))


def through(service: str, region: str = REGION, caller: str = ACCOUNT) -> dict[str, str]:
    return {"kms:ViaService": f"{service}.{region}.amazonaws.com", "kms:CallerAccount": caller}


def test_who_administers_the_key_reads_nothing(deployed: Deployment) -> None:
    assert all(may(deployed, action, OPERATOR) for action in ADMINISTER)
    assert [action for action in (*USE, *GRANT) if action not in ADMINISTER and may(deployed, action, OPERATOR)] == []
    assert may(deployed, "kms:PutKeyPolicy", OPERATOR), "or nobody could change the policy any more"
    assert not may(deployed, "kms:PutKeyPolicy", {"AWS": f"arn:aws:iam::{OTHER}:role/operator"})


@pytest.mark.parametrize("service", ["secretsmanager", "ecr", "elasticache", "dax", "sns"])
def test_the_services_that_keep_data_use_the_key_for_those_whom_iam_lets(deployed: Deployment, service: str) -> None:
    for action in ("kms:GenerateDataKey", "kms:Decrypt", "kms:DescribeKey"):
        assert may(deployed, action, OPERATOR, **through(service)), action
    for action in GRANT:
        assert may(deployed, action, OPERATOR, **through(service)), "a cache or a repository could not be made"


@pytest.mark.parametrize(
    ("principal", "context"),
    [
        (OPERATOR, {}),
        (OPERATOR, through("s3")),
        (OPERATOR, through("lambda")),
        (OPERATOR, through("secretsmanager", region="us-west-2")),
        (OPERATOR, through("secretsmanager", caller=OTHER)),
        ({"AWS": f"arn:aws:iam::{OTHER}:role/operator"}, through("secretsmanager")),
        ({"Service": "secretsmanager.amazonaws.com"}, through("secretsmanager")),
    ],
)
def test_nobody_else_decrypts(deployed: Deployment, principal: dict[str, str], context: dict[str, str]) -> None:
    assert not may(deployed, "kms:Decrypt", principal, **context)
    assert not may(deployed, "kms:CreateGrant", principal, **context)


@pytest.mark.parametrize(("service", "context"), [("cloudwatch", ALARMS), ("budgets", BUDGETS)])
def test_alarms_and_budgets_of_this_account_publish(deployed: Deployment, service: str, context: dict[str, str]) -> None:
    principal = {"Service": f"{service}.amazonaws.com"}
    for action in ("kms:GenerateDataKey", "kms:Decrypt"):
        assert may(deployed, action, principal, **context), "SNS takes no message from whom may not use the topic's key"
        assert not may(deployed, action, principal)
        assert not may(deployed, action, principal, **context | {"aws:SourceAccount": OTHER})
        assert not may(deployed, action, principal, **context | {"aws:SourceArn": context["aws:SourceArn"].replace(ACCOUNT, OTHER)})
    assert not may(deployed, "kms:CreateGrant", principal, **context)


def test_every_log_group_of_the_stage_is_among_those_that_the_key_serves(deployed: Deployment) -> None:
    groups = [group.inputs for group in deployed.all("cloudwatch:LogGroup").values()]
    assert len(groups) >= 2
    for group in groups:
        assert deployed.one("kms:Key", "key").id in group["kmsKeyId"]
        context = {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group['name']}"}
        for action in USE:
            assert may(deployed, action, {"Service": f"logs.{REGION}.amazonaws.com"}, **context), group["name"]


def test_the_policy_follows_the_region(varied: Deployment) -> None:
    assert may(varied, "kms:Decrypt", OPERATOR, **through("secretsmanager", region="us-west-2"))
    assert not may(varied, "kms:Decrypt", OPERATOR, **through("secretsmanager"))


def test_the_policy_names_each_right(deployed: Deployment) -> None:
    text = deployed.one("kms:Key", "key").inputs["policy"]
    assert text == json.dumps(json.loads(text), sort_keys=True)
    for statement in json.loads(text)["Statement"]:
        assert statement["Action"] == sorted(set(statement["Action"]))
        assert not [action for action in statement["Action"] if "*" in action]


def test_the_key_is_renewed_each_year_and_can_be_saved(deployed: Deployment) -> None:
    given = deployed.one("kms:Key", "key").inputs
    assert given["enableKeyRotation"] is True
    assert 7 <= given["deletionWindowInDays"] <= 30
    assert deploy("staging", secretRecoveryDays=20).one("kms:Key", "key").inputs["deletionWindowInDays"] == 20
