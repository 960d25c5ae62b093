"""What each role and each service may do with the stage's resources, and what nobody may: decided by the deployed documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from tests.infra.access import Call, allowed
from tests.infra.deployment import ACCOUNT, Deployment

OTHER = "999999999999"
REGION = "us-east-1"
WITHOUT_A_SOURCE = [
    (
        "cloudwatch:LogResourcePolicy stops policyDocument",
        ("delivery.logs.amazonaws.com", "events.amazonaws.com"),
        "logs:CreateLogStream",
        "EventBridge does not say for whom it makes a stream, only for whom it writes there",
    ),
    (
        "s3:BucketPolicy logs policy",
        ("logdelivery.elasticloadbalancing.amazonaws.com",),
        "s3:PutObject",
        "a balancer does not say for whom it writes; the path that it may write to names the account",
    ),
]
"""What AWS's own examples give without a condition, and why."""
THROUGH_SECRETS = {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}


def arn(deployed: Deployment, kind: str, name: str) -> str:
    """The ARN of a resource, as the program itself uses it."""
    wanted, texts = deployed.one(kind, name).id, json.dumps([item.inputs for item in deployed.resources.values()]) + str(deployed.outputs)
    found = [
        word for word in texts.replace("\\", "").replace("'", '"').split('"') if word.startswith("arn:aws:") and word.endswith(f"/{wanted}")
    ]
    assert found, f"nothing uses the ARN of {kind} {name}"
    return found[0]


def may(deployed: Deployment, role: str, call: Call) -> bool:
    return allowed(deployed.policy("iam:RolePolicy", role), call)


def test_the_running_app_may_do_what_it_needs(deployed: Deployment) -> None:
    key = arn(deployed, "kms:Key", "key")
    for secret in ("openaiSecretArn", "clientsSecretArn"):
        assert may(deployed, "task", Call("secretsmanager:GetSecretValue", deployed.outputs[secret]))
    assert may(deployed, "task", Call("kms:Decrypt", key, context=THROUGH_SECRETS))
    task, ours = {"AWS": f"arn:aws:iam::{ACCOUNT}:role/task"}, THROUGH_SECRETS | {"kms:CallerAccount": ACCOUNT}
    assert allowed(deployed.policy("kms:Key", "key"), Call("kms:Decrypt", principal=task, context=ours)), "the key's own policy counts too"
    for kind in ("elasticache:ReplicationGroup", "elasticache:User"):
        assert may(deployed, "task", Call("elasticache:Connect", arn(deployed, kind, "cache")))


def test_the_running_app_may_do_nothing_else(deployed: Deployment) -> None:
    secret, key = deployed.outputs["openaiSecretArn"], arn(deployed, "kms:Key", "key")
    refused = [
        Call("secretsmanager:PutSecretValue", secret),
        Call("secretsmanager:DescribeSecret", secret),
        Call("secretsmanager:ListSecrets"),
        Call("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:other/openai-key-AbCdEf"),
        Call("secretsmanager:GetSecretValue", f"{secret}-longer"),
        Call("kms:Decrypt", key),
        Call("kms:Decrypt", key, context={"kms:ViaService": f"s3.{REGION}.amazonaws.com"}),
        Call("kms:Decrypt", key, context={"kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com"}),
        Call("kms:Decrypt", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/another", context=THROUGH_SECRETS),
        Call("kms:Encrypt", key, context=THROUGH_SECRETS),
        Call("kms:ScheduleKeyDeletion", key),
        Call("elasticache:Connect", f"arn:aws:elasticache:{REGION}:{ACCOUNT}:user:default"),
        Call("elasticache:ModifyReplicationGroup", arn(deployed, "elasticache:ReplicationGroup", "cache")),
        Call("logs:PutLogEvents", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/any:*"),
        Call("s3:ListAllMyBuckets"),
        Call("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/execution"),
        Call("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/task"),
        Call("ecs:UpdateService"),
    ]
    assert [call for call in refused if may(deployed, "task", call)] == []


def test_ecs_may_start_tasks_and_nothing_else(deployed: Deployment) -> None:
    group = f"{arn_of_group(deployed)}:log-stream:app/app/0123"
    assert may(deployed, "execution", Call("logs:PutLogEvents", group))
    assert may(deployed, "execution", Call("logs:CreateLogStream", group))
    refused = [
        Call("logs:DeleteLogGroup", arn_of_group(deployed)),
        Call("logs:PutLogEvents", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/other/app:log-stream:x"),
        Call("secretsmanager:GetSecretValue", deployed.outputs["openaiSecretArn"]),
        Call("kms:Decrypt", arn(deployed, "kms:Key", "key"), context=THROUGH_SECRETS),
        Call("ecr:PutImage", f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/openai-gateway-staging"),
        Call("ecr:BatchGetImage", f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/another"),
        Call("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/task"),
    ]
    assert [call for call in refused if may(deployed, "execution", call)] == []


def arn_of_group(deployed: Deployment) -> str:
    """The app's log group, without the streams in it."""
    (resource,) = {
        item for one in deployed.policy("iam:RolePolicy", "execution") if "logs:PutLogEvents" in one["Action"] for item in one["Resource"]
    }
    return str(resource).removesuffix(":*")


@pytest.mark.parametrize("role", ["task", "execution"])
def test_only_ecs_takes_a_role_and_only_for_this_account_and_region(deployed: Deployment, role: str) -> None:
    trust = deployed.policy("iam:Role", role, "assumeRolePolicy")
    ecs = {"Service": "ecs-tasks.amazonaws.com"}
    ours = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/gateway/0123"}

    def taken(principal: dict[str, str], context: dict[str, str]) -> bool:
        return allowed(trust, Call("sts:AssumeRole", principal=principal, context=context))

    assert taken(ecs, ours)
    assert not taken(ecs, {})
    assert not taken(ecs, {"aws:SourceAccount": OTHER, "aws:SourceArn": f"arn:aws:ecs:{REGION}:{OTHER}:task/evil/0123"})
    assert not taken(ecs, ours | {"aws:SourceAccount": OTHER})
    assert not taken(ecs, ours | {"aws:SourceArn": f"arn:aws:ecs:{REGION}:{OTHER}:task/evil/0123"})
    assert not taken(ecs, ours | {"aws:SourceArn": f"arn:aws:ecs:eu-west-1:{ACCOUNT}:task/gateway/0123"})
    assert not taken({"Service": "ec2.amazonaws.com"}, ours)
    assert not taken({"AWS": f"arn:aws:iam::{ACCOUNT}:role/task"}, ours)
    assert not taken({"AWS": f"arn:aws:iam::{OTHER}:root"}, ours)
    assert not allowed(trust, Call("sts:TagSession", principal=ecs, context=ours))


def documents(deployed: Deployment) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each statement that gives somebody else something, of every resource, whoever wrote it."""
    for (kind, name), resource in deployed.resources.items():
        for key, text in resource.inputs.items():
            if isinstance(text, str) and text.startswith("{") and '"Principal"' in text:
                for statement in json.loads(text)["Statement"]:
                    yield f"{kind} {name} {key}", statement


def test_no_service_acts_on_behalf_of_another_account(deployed: Deployment) -> None:
    theirs = {
        "aws:SourceAccount": OTHER,
        "aws:SourceArn": f"arn:aws:any:{REGION}:{OTHER}:thing/x",
        "aws:SourceOrgID": "o-another",
        "kms:CallerAccount": OTHER,
        "kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{REGION}:{OTHER}:log-group:/openai-gateway-{deployed.outputs['cluster']}/app",
        "aws:SecureTransport": "true",
    }
    found = set()
    for where, statement in documents(deployed):
        for service in given(statement["Principal"], "Service"):
            for action, resource in product(given(statement, "Action"), given(statement, "Resource") or ["*"]):
                call = Call(action.replace("*", "x"), resource.replace("*", "x"), {"Service": service}, theirs)
                if statement["Effect"] == "Allow" and allowed([statement], call):
                    found.add((where, service, action))
    assert found - {(where, service, action) for where, services, action, _why in WITHOUT_A_SOURCE for service in services} == set()


def given(values: Any, key: str) -> list[str]:
    """What stands under a key, one or several."""
    value = values.get(key, []) if isinstance(values, dict) else []
    return value if isinstance(value, list) else [value]


def test_nothing_is_given_to_everyone(deployed: Deployment) -> None:
    seen = [(where, statement) for where, statement in documents(deployed) if statement["Effect"] == "Allow"]
    assert len(seen) >= 5
    assert [where for where, statement in seen if statement["Principal"] == "*" or "*" in given(statement["Principal"], "AWS")] == []


def test_the_key_serves_this_stages_logs_only(deployed: Deployment) -> None:
    policy, label = deployed.policy("kms:Key", "key"), deployed.outputs["cluster"]
    logs = {"Service": f"logs.{REGION}.amazonaws.com"}

    def encrypts(group: str, principal: dict[str, str] = logs) -> bool:
        context = {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}"}
        return allowed(policy, Call("kms:GenerateDataKeyWithoutPlaintext", principal=principal, context=context))

    assert encrypts(f"/{label}/app")
    assert encrypts(f"aws-waf-logs-{label}")
    assert not encrypts(f"/{label}-other/app")
    assert not encrypts(f"aws-waf-logs-{label}-other")
    assert not encrypts(f"/{label}/app", {"Service": "logs.eu-west-1.amazonaws.com"})
    assert not encrypts(f"/{label}/app", {"AWS": f"arn:aws:iam::{OTHER}:root"})
    assert not allowed(policy, Call("kms:ScheduleKeyDeletion", principal=logs))
    assert allowed(policy, Call("kms:ScheduleKeyDeletion", principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}))
