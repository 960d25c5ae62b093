"""The key before the present one: used when OpenAI refuses the present one, and no longer than that."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app.errors import UpstreamAuthenticationError
from app.secret import Secret, Source, openai_key
from app.settings import Settings
from app.upstream import Upstream
from sandbox.openai_server import OpenAIServer
from tests.app.vault import OPENAI, Vault

BODY = b'{"model":"gpt-5-mini","messages":[{"role":"user","content":"hi"}]}'


@pytest.fixture
def vault(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> Vault:
    monkeypatch.setattr("app.secret.RETRY_S", 0)
    monkeypatch.setattr("app.secret.RENEW_S", 0)
    vault.write(OPENAI, "sk-first")
    return vault


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    server = OpenAIServer({"sk-first"}, token_delay_s=0)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def upstream(server: OpenAIServer, vault: Vault) -> AsyncIterator[Upstream]:
    assert vault.port
    key = Secret("openai_key", Source(OPENAI, "", "OPENAI_API_KEY"), openai_key, 300)
    upstream = Upstream(Settings.model_validate({"openai_base_url": server.url}), key)
    upstream.open()
    yield upstream
    await upstream.close()


async def post(upstream: Upstream) -> int:
    answer = await upstream.post("/chat/completions", BODY, "req-1")
    answer.close()
    return answer.status


async def test_previous_key_works_until_the_secret_holds_one_that_does(
    upstream: Upstream, server: OpenAIServer, vault: Vault, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await post(upstream) == 200
    vault.write(OPENAI, "sk-mistyped")
    server.keys.clear()
    with pytest.raises(UpstreamAuthenticationError):
        await post(upstream)  # it is read again, and neither key is accepted
    server.keys.add("sk-first")
    assert await post(upstream) == 200
    assert "previous_openai_key_used" in capsys.readouterr().out
    server.clear_requests()
    assert await post(upstream) == 200
    assert len(server.requests) == 1, "the key that works is remembered"

    vault.write(OPENAI, "sk-right")
    server.keys = {"sk-right"}
    assert await post(upstream) == 200
    server.clear_requests()
    assert await post(upstream) == 200
    assert len(server.requests) == 1


async def test_no_previous_key_is_no_other_failure(upstream: Upstream, server: OpenAIServer) -> None:
    server.keys.clear()
    with pytest.raises(UpstreamAuthenticationError):
        await post(upstream)
    assert len(server.requests) == 1


async def test_a_key_outside_aws_has_no_predecessor() -> None:
    assert await Secret("openai_key", Source("", "sk-1", "OPENAI_API_KEY"), openai_key, 30).previous() is None
