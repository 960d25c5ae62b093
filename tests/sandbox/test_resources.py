"""Resources in the emulated AWS: made, changed, refused and undone; and what is only recorded."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sandbox.aws_server import AwsServer
from sandbox.errors import SandboxError
from sandbox.resources import Resources
from sandbox.rows import ROWS

MAY_ASSUME = {"Effect": "Allow", "Principal": {"Service": "ecs.amazonaws.com"}, "Action": "sts:AssumeRole"}
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [MAY_ASSUME]})


@pytest.fixture
async def aws() -> AsyncIterator[Resources]:
    server = AwsServer()
    await server.start()
    resources = Resources(server.url)
    resources.configure("pulumi:providers:aws", {"region": "us-west-2", "defaultTags": json.dumps({"tags": {"stage": "test"}})})
    yield resources
    await server.stop()


def make(aws: Resources, kind: str, name: str, /, **inputs: Any) -> tuple[str, dict[str, Any]]:
    return aws.create(kind, name, aws.checked(kind, name, inputs))


def refuse(error: pytest.ExceptionInfo[SandboxError], *parts: str) -> None:
    assert all(part in str(error.value) for part in parts), str(error.value)


def test_a_refusal_names_the_resource_and_gives_awss_words(aws: Resources) -> None:
    with pytest.raises(SandboxError) as error:
        make(aws, "aws:ec2/subnet:Subnet", "private-0", vpcId="vpc-none", cidrBlock="10.0.0.0/24")
    refuse(error, "aws:ec2/subnet:Subnet 'private-0'", "InvalidVpcID.NotFound", "CreateSubnet")


def test_a_failure_after_the_creation_leaves_nothing(aws: Resources) -> None:
    with pytest.raises(SandboxError) as error:
        make(aws, "aws:cloudwatch/logGroup:LogGroup", "app", name="/app", retentionInDays="a month")
    refuse(error, "aws:cloudwatch/logGroup:LogGroup 'app'")
    assert aws.read("aws:cloudwatch/logGroup:LogGroup", "app", "/app", {"name": "/app"}) is None


def test_names_and_tags_are_those_a_provider_would_give(aws: Resources) -> None:
    identifier, state = make(aws, "aws:iam/role:Role", "task", assumeRolePolicy=TRUST, tags={"owner": "us"})
    assert identifier.startswith("task-")
    assert state["arn"].endswith(f":role/{identifier}")
    tags = aws.client("iam").list_role_tags(RoleName=identifier)["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"stage": "test", "owner": "us"}


def test_a_change_in_place_takes_stale_tags_away(aws: Resources) -> None:
    kind = "aws:cloudwatch/logGroup:LogGroup"
    old = aws.checked(kind, "app", {"name": "/app", "retentionInDays": 7, "tags": {"owner": "us"}})
    identifier, _ = aws.create(kind, "app", old)
    new = aws.checked(kind, "app", {"name": "/app", "retentionInDays": 30})
    assert aws.replaces(kind, old, new) == []
    aws.update(kind, "app", identifier, old, new)
    group = aws.client("logs").describe_log_groups()["logGroups"][0]
    assert group["retentionInDays"] == 30
    assert aws.client("logs").list_tags_log_group(logGroupName="/app")["tags"] == {"stage": "test"}


def test_a_change_that_aws_cannot_make_replaces(aws: Resources) -> None:
    assert aws.replaces("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/16"}, {"cidrBlock": "10.1.0.0/16"}) == ["cidrBlock"]


def test_what_is_gone_is_read_as_gone_and_deleted_without_complaint(aws: Resources) -> None:
    kind = "aws:ec2/vpc:Vpc"
    identifier, state = make(aws, kind, "network", cidrBlock="10.0.0.0/16")
    assert aws.read(kind, "network", identifier, state) == state
    aws.client("ec2").delete_vpc(VpcId=identifier)
    assert aws.read(kind, "network", identifier, state) is None
    aws.delete(kind, "network", identifier, state)


def test_a_type_without_a_row_is_recorded_with_the_outputs_that_the_sdk_declares(aws: Resources) -> None:
    kind = "aws:elasticache/replicationGroup:ReplicationGroup"
    assert kind not in ROWS
    assert aws.how(kind) == "recorded"
    identifier, state = make(aws, kind, "cache", engine="valkey")
    assert state["engine"] == "valkey"
    assert state["primaryEndpointAddress"].startswith(identifier)
    assert state["arn"].startswith("arn:aws:elasticache:us-west-2:")


def test_an_unknown_data_source_says_where_to_add_it(aws: Resources) -> None:
    with pytest.raises(SandboxError) as error:
        aws.invoke("aws:ec2/getAmi:getAmi", {})
    refuse(error, "aws:ec2/getAmi:getAmi", "sandbox/resources.py")


def test_a_change_of_a_groups_tags_leaves_its_rules(aws: Resources) -> None:
    _, network = make(aws, "aws:ec2/vpc:Vpc", "network", cidrBlock="10.0.0.0/16")
    kind = "aws:ec2/securityGroup:SecurityGroup"
    group, old = make(aws, kind, "tasks", description="tasks", vpcId=network["vpcId"])
    rule = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
    identifier, state = make(aws, rule, "out", securityGroupId=group, ipProtocol="tcp", fromPort=443, toPort=443, cidrIpv4="0.0.0.0/0")
    aws.update(kind, "tasks", group, old, old | {"tagsAll": {"owner": "us"}})
    assert aws.read(rule, "out", identifier, state) == state
