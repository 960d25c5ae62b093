"""Every request that must not go out: refused in OpenAI's shape, and by name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from tests.app.conftest import OPENAI_KEY, Gateway, Start, error_of, question
from tests.app.stand_in import MODEL, OpenAIStandIn


async def test_wrong_key_is_an_authentication_error(gateway: Gateway) -> None:
    client = openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="gwk-wrong", max_retries=0)
    async with client:
        with pytest.raises(openai.AuthenticationError) as caught:
            await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hi"}])
    assert caught.value.code == "invalid_api_key"
    assert "gwk-wrong" not in caught.value.message


@pytest.mark.parametrize("authorization", ["", "Basic Zm9v", "Bearer", "Bearer ", OPENAI_KEY])
async def test_no_key_is_an_authentication_error(gateway: Gateway, upstream: OpenAIStandIn, authorization: str) -> None:
    for path in ("/v1/chat/completions", "/v1/models"):
        async with gateway.http.request(
            "POST" if "chat" in path else "GET", gateway.url + path, headers={"authorization": authorization}
        ) as response:
            assert response.status == 401
            assert (await error_of(response))["type"] == "invalid_request_error"
    assert not upstream.received


BAD = [
    (b"", None),
    (b"{", None),
    (b"[]", None),
    (b"null", None),
    (b"\xff\xfe{}", None),
    (b"[" * 100_000, None),
    (b'{"model": NaN}', None),
    (b'{"n": ' + b"9" * 5000 + b"}", None),
    (b'{"model":"gpt-5-mini","model":"gpt-5","messages":[{"role":"user"}]}', None),
    ({}, "model"),
    ({"model": 5}, "model"),
    ({"model": MODEL}, "messages"),
    (question(messages=[]), "messages"),
    (question(messages={"role": "user"}), "messages"),
    (question(messages=["hi"]), "messages[0]"),
    (question(messages=[{"role": "user", "content": "a"}, {"content": "b"}]), "messages[1].role"),
    (question(stream="true"), "stream"),
    (question(stream=1), "stream"),
    (question(n=0), "n"),
    (question(n=True), "n"),
    (question(n=1.5), "n"),
    (question(max_tokens="10"), "max_tokens"),
    (question(max_completion_tokens=-1), "max_completion_tokens"),
    (question(temperature="hot"), "temperature"),
]


@pytest.mark.parametrize(("body", "param"), BAD, ids=lambda value: str(value)[:40])
async def test_bad_request_is_refused_by_name(gateway: Gateway, upstream: OpenAIStandIn, body: Any, param: str | None) -> None:
    async with gateway.post(body) as response:
        assert response.status == 400
        error = await error_of(response)
    assert error["param"] == param
    assert not upstream.received


async def test_unknown_model_names_the_known(start: Start, upstream: OpenAIStandIn) -> None:
    gateway = await start(models="gpt-5-mini,gpt-5-nano")
    async with gateway.post(question(model="gpt-4")) as response:
        assert response.status == 404
        error = await error_of(response)
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert "gpt-5-mini, gpt-5-nano" in error["message"]
    assert not upstream.received


async def chunked(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 1000):
        yield b" " * 1000


@pytest.mark.parametrize("streamed", [False, True])
async def test_long_body_is_refused(start: Start, upstream: OpenAIStandIn, streamed: bool) -> None:  # noqa: FBT001  a parameter
    gateway = await start(max_body_bytes=10_000)
    headers = {"authorization": f"Bearer {gateway.key}"}
    data: Any = chunked(20_000) if streamed else b" " * 10_001
    async with gateway.http.post(f"{gateway.url}/v1/chat/completions", data=data, headers=headers) as response:
        assert response.status == 413
        assert (await error_of(response))["code"] == "request_too_large"
    assert not upstream.received
    async with gateway.post(question("x" * 9_000)) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/chat/completions", 405),
        ("DELETE", "/v1/models", 405),
        ("POST", "/healthz", 405),
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/models/", 404),
        ("POST", "/v1/chat/completions/", 404),
        ("GET", "/app/settings.py", 404),
        ("GET", "/..%2fsettings.py", 404),
    ],
)
async def test_unknown_path_and_method_have_openais_shape(gateway: Gateway, method: str, path: str, status: int) -> None:
    async with gateway.http.request(method, gateway.url + path, headers={"authorization": f"Bearer {gateway.key}"}) as response:
        assert response.status == status
        assert (await error_of(response))["type"] == "invalid_request_error"
        assert "x-request-id" in response.headers


async def test_failure_of_the_gateway_itself_has_openais_shape(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def explode(*_: object) -> bytes:
        raise RuntimeError("with a secret in it")

    monkeypatch.setattr("app.endpoint.Endpoint._job", explode)
    async with gateway.post(question()) as response:
        assert response.status == 500
        assert (await error_of(response))["code"] == "internal_error"
        assert "secret" not in await response.text()
    logged = capsys.readouterr().out
    assert "RuntimeError" in logged
    assert "explode" in logged
    assert "with a secret in it" not in logged
