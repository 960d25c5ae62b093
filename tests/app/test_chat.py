"""A chat request that is answered in one piece, and what goes out for it."""

from __future__ import annotations

import json

import openai
import pytest

from tests.app.conftest import OPENAI_KEY, Gateway, Start, error_of, question
from tests.app.stand_in import MODEL, RATE_LIMITS, TEXT, OpenAIStandIn, completion, fails


async def test_openai_client_gets_an_answer(gateway: Gateway) -> None:
    async with gateway.openai as client:
        answer = await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hi"}])
    assert answer.choices[0].message.content == TEXT
    assert answer.usage is not None
    assert answer.usage.total_tokens == 10


async def test_answer_passes_byte_for_byte_with_openais_headers(gateway: Gateway) -> None:
    async with gateway.post(question()) as response:
        assert await response.read() == completion(TEXT)
        for name in ("x-ratelimit-remaining-requests", "openai-processing-ms"):
            assert response.headers[name] == RATE_LIMITS[name]
        assert response.headers["x-openai-request-id"] == RATE_LIMITS["x-request-id"]


async def test_body_passes_unchanged_but_for_store(gateway: Gateway, upstream: OpenAIStandIn) -> None:
    body = b' {"model":"gpt-5-mini",\n "messages":[{"role":"user","content":"\\u00e9 \xc3\xa9"}], "future": [1.50]}'
    async with gateway.post(body):
        assert upstream.received[0].body == body.replace(b"{", b'{"store":false,', 1)


@pytest.mark.parametrize("store", [True, False, None])
async def test_callers_own_store_is_kept(gateway: Gateway, upstream: OpenAIStandIn, store: bool | None) -> None:  # noqa: FBT001  a parameter
    async with gateway.post(question(store=store)):
        assert json.loads(upstream.received[0].body) == question(store=store)


async def test_key_organization_and_project_stand_in_the_call_upstream(start: Start, upstream: OpenAIStandIn) -> None:
    gateway = await start(openai_organization="org-1", openai_project="proj_1")
    async with gateway.post(question(), **{"x-request-id": "mine-1", "openai-organization": "org-of-somebody", "cookie": "a=b"}):
        sent = upstream.received[0].headers
    assert sent["authorization"] == f"Bearer {OPENAI_KEY}"
    assert (sent["openai-organization"], sent["openai-project"]) == ("org-1", "proj_1")
    assert sent["x-client-request-id"] == "mine-1"
    assert "cookie" not in sent


async def test_no_organization_means_no_header(gateway: Gateway, upstream: OpenAIStandIn) -> None:
    async with gateway.post(question(), **{"openai-organization": "org-of-somebody"}):
        assert not {"openai-organization", "openai-project"} & upstream.received[0].headers.keys()


@pytest.mark.parametrize(("sent", "kept"), [("abc-1.2_3", True), ("a" * 65, False), ('"; drop', False)])
async def test_request_id_of_the_caller_is_used_if_sane(gateway: Gateway, sent: str, kept: bool) -> None:  # noqa: FBT001  a parameter
    async with gateway.post(question(), **{"x-request-id": sent}) as response:
        answered = response.headers.getall("x-request-id")
    assert len(answered) == 1
    assert (answered[0] == sent) is kept
    assert kept or answered[0].startswith("req_")


async def test_body_above_a_megabyte_passes_unchanged(gateway: Gateway, upstream: OpenAIStandIn) -> None:
    body = json.dumps(question("x" * 3_000_000, store=True)).encode()
    async with gateway.post(body) as response:
        assert response.status == 200
    assert upstream.received[0].body == body
    assert upstream.received[0].headers["content-length"] == str(len(body))


async def test_models_are_those_of_the_settings(start: Start) -> None:
    gateway = await start(models="gpt-5-nano,ft:gpt-5/mine")
    async with gateway.openai as client:
        assert [model.id async for model in client.models.list()] == ["gpt-5-nano", "ft:gpt-5/mine"]
        assert (await client.models.retrieve("gpt-5-nano")).owned_by == "openai"
        assert (await client.models.retrieve("ft:gpt-5/mine")).id == "ft:gpt-5/mine"
        with pytest.raises(openai.NotFoundError) as caught:
            await client.models.retrieve("gpt-4")
    assert caught.value.code == "model_not_found"


async def test_errors_of_openai_pass_with_their_headers(gateway: Gateway, upstream: OpenAIStandIn) -> None:
    body = b'{"error": {"message": "Slow down", "type": "requests", "param": null, "code": "rate_limit_exceeded"}}'
    for stream in (False, True):
        upstream.next = [fails(429, body, **{"retry-after": "7"})]
        async with gateway.post(question(stream=stream)) as response:
            assert response.status == 429
            assert await response.read() == body
            assert response.headers["retry-after"] == "7"
            assert response.headers["x-ratelimit-remaining-requests"] == "59"
    assert len(upstream.received) == 2


@pytest.mark.parametrize(("status", "expected"), [(500, 502), (503, 502), (302, 502), (204, 502)])
async def test_answers_of_openai_that_are_none_become_ours(gateway: Gateway, upstream: OpenAIStandIn, status: int, expected: int) -> None:
    upstream.next = [fails(status, b"<html>nginx</html>" if status != 204 else b"", "text/html", location="http://127.0.0.1:1/")]
    async with gateway.post(question()) as response:
        assert response.status == expected
        assert (await error_of(response))["code"] == "upstream_error"
