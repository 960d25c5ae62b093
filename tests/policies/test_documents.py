"""What a statement's conditions bind it to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policies.documents import limited
from policies.stack import Stack
from tests.policies.programs import broken, program, put

ACCOUNT = "123456789012"
PIPELINE = {
    "Effect": "Allow",
    "Action": "sts:AssumeRoleWithWebIdentity",
    "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"},
    "Condition": {"StringEquals": {"token.actions.githubusercontent.com:sub": "repo:acme/gateway:environment:prod"}},
}


@pytest.mark.parametrize(
    ("condition", "bound"),
    [
        ({"StringEquals": {"aws:SourceAccount": ACCOUNT}}, True),
        ({"StringEquals": {"AWS:SourceAccount": [ACCOUNT]}}, True),
        ({"ArnLike": {"aws:SourceArn": f"arn:aws:ecs:us-east-1:{ACCOUNT}:*"}}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::a-bucket"}}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:ecs:us-east-1:*:cluster/x"}}, False),
        ({"StringLike": {"aws:SourceAccount": "*"}}, False),
        ({"StringEquals": {"aws:SourceAccount": [ACCOUNT, "*"]}}, False),
        ({"StringNotEquals": {"aws:SourceAccount": ACCOUNT}}, False),
        ({"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, False),
        ({}, False),
        (None, False),
    ],
    ids=lambda value: json.dumps(value) if not isinstance(value, bool) else str(value),
)
def test_a_statement_is_bound_by_an_account_or_a_resource(condition: dict[str, Any] | None, *, bound: bool) -> None:
    assert limited({"Effect": "Allow", "Condition": condition}) is bound


def trusting(statement: dict[str, Any]) -> Stack:
    return put("iam:Role::task", "assumeRolePolicy#Statement.0", statement)(program("prod"))


def test_a_pipeline_may_assume_a_role_as_a_subject_that_is_written_out() -> None:
    assert not broken(trusting(PIPELINE))
    anyone = PIPELINE | {"Condition": {"StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}}}
    assert broken(trusting(anyone)) == {"role-trust": {"iam:Role::task"}}


@pytest.mark.parametrize("cidr", ["10.0.0.0/8", "192.168.4.0/24"])
def test_private_addresses_are_not_the_internet(cidr: str) -> None:
    stack = put("vpc:SecurityGroupIngressRule::balancer-http", "cidrIpv4", cidr)(program("prod"))
    assert not broken(put("vpc:SecurityGroupIngressRule::balancer-http", "toPort", 8080)(stack))
