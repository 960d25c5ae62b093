"""G4, G21: the running app's role is enough for its work and for nothing else; the role that starts it is not enough to read a key.

The emulated AWS enforces IAM here, by action; tests/infra/test_least_privilege.py decides resources and conditions.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from sandbox.scheduler import Scheduler
from tests.conftest import Stack
from tests.guide.account import EVERYTHING, Account

DENIED = 403
REFUSED_TO_TASKS: list[tuple[str, str, dict[str, Any]]] = [
    ("secretsmanager", "put_secret_value", {"SecretId": "any", "SecretString": "stolen"}),
    ("secretsmanager", "list_secrets", {}),
    ("secretsmanager", "delete_secret", {"SecretId": "any"}),
    ("kms", "encrypt", {"KeyId": "alias/any", "Plaintext": b"x"}),
    ("kms", "schedule_key_deletion", {"KeyId": "0123"}),
    ("s3", "list_buckets", {}),
    ("ecs", "update_service", {"service": "gateway", "desiredCount": 0}),
    ("ecs", "register_task_definition", {"family": "any", "containerDefinitions": []}),
    ("iam", "create_user", {"UserName": "mallory"}),
    ("iam", "put_role_policy", {"RoleName": "any", "PolicyName": "any", "PolicyDocument": EVERYTHING}),
    ("logs", "delete_log_group", {"logGroupName": "any"}),
    ("logs", "put_log_events", {"logGroupName": "any", "logStreamName": "any", "logEvents": [{"timestamp": 0, "message": "x"}]}),
    ("ec2", "describe_instances", {}),
    ("wafv2", "list_web_acls", {"Scope": "REGIONAL"}),
    ("sts", "assume_role", {"RoleArn": "{execution}", "RoleSessionName": "climb"}),
]
REFUSED_TO_ECS: list[tuple[str, str, dict[str, Any]]] = [
    ("secretsmanager", "get_secret_value", {"SecretId": "any"}),
    ("kms", "decrypt", {"CiphertextBlob": b"x"}),
    ("logs", "delete_log_group", {"logGroupName": "any"}),
    ("logs", "get_log_events", {"logGroupName": "any", "logStreamName": "any"}),
    ("s3", "list_buckets", {}),
    ("ecr", "put_image", {"repositoryName": "any", "imageManifest": "{}"}),
    ("iam", "create_user", {"UserName": "mallory"}),
    ("sts", "assume_role", {"RoleArn": "{task}", "RoleSessionName": "climb"}),
]


@pytest.fixture
def account(local: Stack) -> Iterator[Account]:
    found = Account(local)
    found.enforce("0")
    yield found
    found.close()


class Vendor:
    """ECS, which gives a task its role's credentials: the emulated IAM knows no service as a principal."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def assume_role(self, **_asked: str) -> dict[str, Any]:
        return {"Credentials": self._account.given["task"]}


@asynccontextmanager
async def task(account: Account) -> AsyncIterator[str]:
    """A task as it was deployed, with its role's credentials alone; its address."""

    def clients(service: str) -> Any:
        return Vendor(account) if service == "sts" else account.client(service, "admin")

    substitutions = {"GATEWAY_CACHE_URL": account.local.described["valkey_url"], "GATEWAY_CACHE_IAM_CLUSTER": ""}
    scheduler = Scheduler(account.service, clients, substitutions=substitutions)
    await scheduler.start(1)
    try:
        yield scheduler.tasks[0].url
    finally:
        await scheduler.stop(1)


def status(url: str, key: str) -> int:
    body = {"model": "gpt-6.1-terra", "messages": [{"role": "user", "content": f"Hello {key[-8:]}"}]}
    return httpx2.post(f"{url}/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {key}"}, timeout=30).status_code


async def answers(url: str, key: str, wanted: int) -> None:
    """Wait until a task answers a key so."""

    def asked() -> None:
        assert status(url, key) == wanted

    await asyncio.to_thread(Stack.until, asked)


async def test_the_app_does_all_its_work_with_its_role(account: Account) -> None:
    secret, key = account.local.described["outputs"]["clientsSecretArn"], f"gwk-{uuid.uuid4()}"
    owner = account.client("secretsmanager", "admin")
    before = owner.get_secret_value(SecretId=secret)["SecretString"]
    async with task(account) as url:
        await answers(url, account.local.described["client_key"], 200)
        await answers(url, key, 401)
        entries = json.loads(before) | {"rotated": {"key_sha256": [account.local.digest(key)]}}
        owner.put_secret_value(SecretId=secret, SecretString=json.dumps(entries))
        try:
            await answers(url, key, 200)
        finally:
            owner.put_secret_value(SecretId=secret, SecretString=before)
        await answers(url, key, 401)


async def test_without_the_right_to_read_it_says_so_and_answers_nothing(account: Account) -> None:
    statements = [account.by_action(item) for item in account.policies["task"]["Statement"]]
    account.put("task", [item for item in statements if "secretsmanager:GetSecretValue" not in item["Action"]])
    async with task(account) as url:

        def told() -> None:
            ready = httpx2.get(f"{url}/readyz")
            assert ready.status_code == 503
            assert "cannot be read from Secrets Manager" in ready.text

        await asyncio.to_thread(Stack.until, told)
        await answers(url, account.local.described["client_key"], 503)


def test_the_app_is_refused_what_it_does_not_need(account: Account) -> None:
    secret = account.local.described["outputs"]["openaiSecretArn"]
    assert account.status("task", "secretsmanager", "get_secret_value", {"SecretId": secret}) == 200
    assert set(account.statuses("task", REFUSED_TO_TASKS).values()) == {DENIED}


def test_what_starts_the_app_cannot_read_its_keys(account: Account) -> None:
    stream = {"logGroupName": account.local.described["outputs"]["logGroup"], "logStreamName": "app/app/test"}
    assert account.status("execution", "logs", "create_log_stream", stream) == 200
    assert account.status("admin", "logs", "delete_log_stream", stream) == 200
    assert set(account.statuses("execution", REFUSED_TO_ECS).values()) == {DENIED}


def test_the_same_calls_are_not_refused_to_an_administrator(account: Account) -> None:
    """Or the tables above would say nothing."""
    calls = [call for call in REFUSED_TO_TASKS + REFUSED_TO_ECS if call[1] not in ("assume_role", "create_user")]
    assert DENIED not in account.statuses("admin", calls).values()
