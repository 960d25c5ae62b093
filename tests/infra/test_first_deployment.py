"""The first `up` of a stage, when nobody has put an OpenAI key into its secret yet."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from infra.credentials import checked
from sandbox.aws_server import AwsServer
from sandbox.deploy import events
from sandbox.errors import SandboxError

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:openai-gateway-prod/openai-key-AbCdEf"


def versions(*labels: list[str]) -> list[Any]:
    return [SimpleNamespace(version_stages=each) for each in labels]


def test_a_filled_secret_is_used() -> None:
    assert checked(ARN, versions(["AWSPREVIOUS"], ["AWSCURRENT"]), stage="prod", region="us-east-1") == ARN


@pytest.mark.parametrize("labels", [(), (["AWSPENDING"],)])
def test_an_empty_one_stops_the_deployment_and_says_what_to_do(labels: tuple[list[str], ...]) -> None:
    with pytest.raises(pulumi.RunError) as stopped:
        checked(ARN, versions(*labels), stage="prod", region="us-east-2")
    said = str(stopped.value)
    assert f"aws secretsmanager put-secret-value --region us-east-2 --secret-id {ARN} --secret-string file://key.txt" in said
    assert "make key STAGE=prod" in said
    assert "run `pulumi up` again" in said


async def _deploy_without_key() -> tuple[set[str], str]:
    aws = AwsServer()
    await aws.start()
    made = set()
    try:
        async for event in events("sandbox.program", "local", {}, {"AWS_ENDPOINT_URL": aws.url}):
            made.add(event.get("resource", {}).get("type"))
    except SandboxError as error:
        return made, str(error)
    finally:
        await aws.stop()
    return made, ""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # moto's own
def test_everything_but_the_service_is_made_without_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SANDBOX_OPENAI_KEY", raising=False)
    made, said = asyncio.run(_deploy_without_key())
    assert "The OpenAI key is missing" in said
    assert "Traceback" not in said
    assert {"aws:lb/listener:Listener", "aws:elasticache/replicationGroup:ReplicationGroup", "aws:iam/rolePolicy:RolePolicy"} <= made
    assert not {"aws:ecs/taskDefinition:TaskDefinition", "aws:ecs/service:Service", "aws:appautoscaling/target:Target"} & made
