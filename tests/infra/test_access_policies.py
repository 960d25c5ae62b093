"""Who may do what: trust, and least privilege."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.infra.deployment import ACCOUNT, Deployment


def granted(statements: list[dict[str, Any]]) -> dict[str, set[str]]:
    """Resources by action."""
    found: dict[str, set[str]] = {}
    for statement in statements:
        assert statement["Effect"] == "Allow"
        assert isinstance(statement["Action"], list)
        for action in statement["Action"]:
            found.setdefault(action, set()).update(statement["Resource"])
    return found


def test_the_running_app_reads_two_secrets_and_connects_to_one_cache(deployed: Deployment) -> None:
    found = granted(deployed.policy("iam:RolePolicy", "task"))
    assert found.keys() == {"secretsmanager:GetSecretValue", "kms:Decrypt", "elasticache:Connect"}
    assert found["secretsmanager:GetSecretValue"] == {deployed.outputs["openaiSecretArn"], deployed.outputs["clientsSecretArn"]}
    (key,) = found["kms:Decrypt"]
    assert deployed.one("kms:Key", "key").id in key
    assert len(found["elasticache:Connect"]) == 2
    wanted = {deployed.one("elasticache:ReplicationGroup", "cache").id, deployed.one("elasticache:User", "cache").id}
    assert all(any(wants in arn for arn in found["elasticache:Connect"]) for wants in wanted)


def test_the_app_decrypts_through_secrets_manager_only(deployed: Deployment) -> None:
    (decrypt,) = [item for item in deployed.policy("iam:RolePolicy", "task") if "kms:Decrypt" in item["Action"]]
    assert decrypt["Condition"] == {"StringEquals": {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"}}


def test_ecs_pulls_from_the_stages_repository_and_writes_its_log(staging: Deployment) -> None:
    found = granted(staging.policy("iam:RolePolicy", "execution"))
    repository = {"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
    assert found.keys() == repository | {"ecr:GetAuthorizationToken", "logs:CreateLogStream", "logs:PutLogEvents"}
    for action in repository:
        (arn,) = found[action]
        assert staging.one("ecr:Repository", "image").id in arn
    (group,) = found["logs:PutLogEvents"]
    assert staging.one("cloudwatch:LogGroup", "app").id in group
    assert group.endswith(":*")


def test_an_image_elsewhere_in_ecr_may_be_pulled_and_nothing_else(varied: Deployment) -> None:
    found = granted(varied.policy("iam:RolePolicy", "execution"))
    assert found["ecr:BatchGetImage"] == {f"arn:aws:ecr:us-west-2:{ACCOUNT}:repository/shared/gateway"}


def test_an_image_of_another_registry_needs_no_right_to_pull(deployed: Deployment) -> None:
    built = bool(deployed.all("ecr:Repository"))
    assert any(action.startswith("ecr:") for action in granted(deployed.policy("iam:RolePolicy", "execution"))) == built


def test_no_policy_has_a_wildcard_that_aws_does_not_demand(deployed: Deployment) -> None:
    for name in deployed.all("iam:RolePolicy"):
        for action, resources in granted(deployed.policy("iam:RolePolicy", name)).items():
            assert "*" not in action
            assert action == "ecr:GetAuthorizationToken" or "*" not in resources


def test_no_role_has_a_managed_policy_or_more_than_its_own(deployed: Deployment) -> None:
    roles = deployed.all("iam:Role")
    assert roles.keys() == {"execution", "task"} == deployed.all("iam:RolePolicy").keys()
    assert not [role for role in roles.values() if {"managedPolicyArns", "inlinePolicies"} & role.inputs.keys()]


@pytest.mark.parametrize(
    ("role", "service", "source"),
    [
        ("task", "ecs-tasks.amazonaws.com", f"arn:aws:ecs:us-east-1:{ACCOUNT}:*"),
        ("execution", "ecs-tasks.amazonaws.com", f"arn:aws:ecs:us-east-1:{ACCOUNT}:*"),
    ],
)
def test_no_other_account_can_use_a_role(deployed: Deployment, role: str, service: str, source: str) -> None:
    (trust,) = deployed.policy("iam:Role", role, "assumeRolePolicy")
    assert trust["Principal"] == {"Service": service}
    assert trust["Action"] == "sts:AssumeRole"
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnLike": {"aws:SourceArn": source}}


def test_the_same_policy_is_always_the_same_text(deployed: Deployment) -> None:
    for name in deployed.all("iam:RolePolicy"):
        text = deployed.one("iam:RolePolicy", name).inputs["policy"]
        assert text == json.dumps(json.loads(text), sort_keys=True)
