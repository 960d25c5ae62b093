"""The OpenAI key and the callers, out of an emulated Secrets Manager: read at run time, rotated, and kept while AWS is away."""

from __future__ import annotations

import asyncio
import json

import pytest

from app.clients import new_key
from tests.app.conftest import Gateway, Start, question
from tests.app.stand_in import OpenAIStandIn, wants_key
from tests.app.vault import CLIENTS, OPENAI, Vault

DAY_S = 86_400


@pytest.fixture
def vault(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> Vault:
    monkeypatch.setattr("app.secret.RETRY_S", 0.05)
    monkeypatch.setattr("app.secret.RENEW_S", 0.3)
    vault.write(OPENAI, "sk-old\n")
    vault.allow(team=vault.digest)
    return vault


@pytest.fixture
async def deployed(start: Start, vault: Vault) -> Gateway:
    gateway = await start(openai_secret_id=OPENAI, clients_secret_id=CLIENTS, openai_api_key="", clients="", secret_ttl_s=0.2)
    gateway.key = vault.key
    return gateway


async def status(gateway: Gateway, key: str = "") -> int:
    async with gateway.post(question(), key=key or gateway.key) as response:
        return int(response.status)


async def until(gateway: Gateway, expected: int, key: str = "") -> None:
    async with asyncio.timeout(10):
        while await status(gateway, key) != expected:  # noqa: ASYNC110  what happens in the background shows in an answer alone
            await asyncio.sleep(0.05)


async def checks(gateway: Gateway) -> dict[str, str]:
    async with gateway.get("/readyz") as response:
        body = await response.json()
        assert response.status == (503 if body.get("checks") else 200)
        return dict(body.get("checks", {}))


async def test_key_comes_from_its_secret(deployed: Gateway, upstream: OpenAIStandIn) -> None:
    assert await status(deployed) == 200
    assert upstream.received[0].headers["authorization"] == "Bearer sk-old"
    assert await checks(deployed) == {}


async def test_rotated_key_is_read_again_when_the_old_one_is_refused(start: Start, vault: Vault, upstream: OpenAIStandIn) -> None:
    gateway = await start(openai_secret_id=OPENAI, openai_api_key="", secret_ttl_s=300)
    assert await status(gateway) == 200
    upstream.always = wants_key("sk-new")
    vault.write(OPENAI, "sk-new")
    await until(gateway, 200)  # a second read so soon after the first may wait for its turn
    before = len(upstream.received)
    assert [await status(gateway) for _ in range(3)] == [200] * 3
    assert {call.headers["authorization"] for call in upstream.received[before:]} == {"Bearer sk-new"}


async def test_refused_key_is_not_the_callers_fault(start: Start, vault: Vault, upstream: OpenAIStandIn) -> None:
    gateway = await start(openai_secret_id=OPENAI, openai_api_key="", secret_ttl_s=300)
    assert vault.port
    upstream.always = wants_key("sk-other")
    async with gateway.post(question()) as response:
        assert response.status == 502
        error = (await response.json())["error"]
    assert error["code"] == "upstream_authentication"
    assert "operator" in error["message"]
    assert "sk-o" not in error["message"]
    assert len(upstream.received) == 1


async def test_the_keys_age_is_what_aws_says(
    start: Start, vault: Vault, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("app.meter.SAMPLE_S", 0.01)
    vault.age(OPENAI, by_s=90 * DAY_S)
    gateway = await start(openai_secret_id=OPENAI, openai_api_key="", secret_ttl_s=0.2)
    assert await key_age_s(capsys) >= 90 * DAY_S, "however young the process is"
    vault.write(OPENAI, "sk-new")
    async with asyncio.timeout(10):
        while await key_age_s(capsys) > DAY_S:
            assert await status(gateway) == 200


async def key_age_s(capsys: pytest.CaptureFixture[str]) -> float:
    """What the gateway's next metrics say."""
    capsys.readouterr()
    async with asyncio.timeout(10):
        while True:
            await asyncio.sleep(0.05)
            for line in capsys.readouterr().out.splitlines():
                if age := json.loads(line).get("KeyAge"):
                    return float(age[0] if isinstance(age, list) else age)


async def test_callers_are_added_and_revoked_without_a_restart(deployed: Gateway, vault: Vault) -> None:
    key, digest = new_key()
    assert await status(deployed, key) == 401
    vault.allow(team=vault.digest, other=digest)
    await until(deployed, 200, key)
    assert await status(deployed) == 200
    vault.allow(other=digest)
    await until(deployed, 401)
    assert await status(deployed, key) == 200


async def test_values_outlive_aws(deployed: Gateway, vault: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    assert await status(deployed) == 200
    vault.leave()
    logged = ""
    async with asyncio.timeout(10):
        while "secret_unusable" not in logged:
            assert await status(deployed) == 200
            logged += capsys.readouterr().out
    line = next(json.loads(line) for line in logged.splitlines() if "secret_unusable" in line)
    assert line["stale_value_used"] is True
    assert await checks(deployed) == {}
    vault.arrive()
    async with asyncio.timeout(10):
        while "secret_recovered" not in logged:
            assert await status(deployed) == 200
            logged += capsys.readouterr().out


@pytest.mark.parametrize(
    ("secret", "text", "check"),
    [(OPENAI, " ", "openai_key"), (OPENAI, '{"key": "sk-1"}', "openai_key"), (CLIENTS, "no json", "clients"), (CLIENTS, "[]", "clients")],
)
async def test_unusable_secret_is_named_until_it_is_repaired(start: Start, vault: Vault, secret: str, text: str, check: str) -> None:
    vault.write(secret, text)
    gateway = await start(openai_secret_id=OPENAI, clients_secret_id=CLIENTS, openai_api_key="", clients="", secret_ttl_s=0.2)
    gateway.key = vault.key
    problems = await checks(gateway)
    assert list(problems) == [check]
    assert secret in problems[check]
    assert text.strip() not in problems[check] or not text.strip()
    assert await status(gateway) == 503
    vault.write(OPENAI, "sk-old")
    vault.allow(team=vault.digest)
    await until(gateway, 200)
    assert await checks(gateway) == {}


async def test_missing_secret_says_what_to_do(start: Start, vault: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    assert vault.port
    gateway = await start(openai_secret_id="gateway/none", openai_api_key="", secret_ttl_s=0.2)
    problems = await checks(gateway)
    assert "ResourceNotFoundException" in problems["openai_key"]
    assert "gateway/none" in problems["openai_key"]
    assert "task's role" in problems["openai_key"]
    assert problems["openai_key"] in capsys.readouterr().out


async def test_nothing_set_at_all_says_what_to_set(start: Start) -> None:
    gateway = await start(openai_api_key="", clients="")
    problems = await checks(gateway)
    assert "OPENAI_API_KEY" in problems["openai_key"]
    assert "GATEWAY_CLIENTS" in problems["clients"]
    async with gateway.get("/healthz") as response:
        assert response.status == 200
