"""A chat request that is answered in one piece, and what goes out for it."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from tests.app.conftest import OPENAI_KEY, Gateway, Start, error_of, question
from tests.app.stand_in import AT_ONCE, MODEL, RATE_LIMITS, TEXT, OpenAIStandIn, completion, fails


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


def added(sent: bytes, asked: bytes) -> dict[str, Any]:
    """What the gateway wrote into a body, in front of its members; all else must be there to the byte."""
    brace = asked.index(b"{") + 1
    assert sent.startswith(asked[:brace])
    assert sent.endswith(asked[brace:])
    return dict(json.loads(sent[: len(sent) - len(asked) + brace].removesuffix(b",") + b"}"))


async def test_body_passes_unchanged_but_for_what_must_stand_in_it(gateway: Gateway, upstream: OpenAIStandIn) -> None:
    body = b' {"model":"gpt-5-mini",\n "messages":[{"role":"user","content":"\\u00e9 \xc3\xa9"}], "future": [1.50]}'
    async with gateway.post(body):
        written = added(upstream.received[0].body, body)
    assert len(written.pop("safety_identifier")) == 32
    assert written == {"store": False, "max_completion_tokens": 4096}


async def test_stream_is_asked_to_say_what_it_used(gateway: Gateway, upstream: OpenAIStandIn) -> None:
    asked = question(stream=True, stream_options={"include_obfuscation": False})
    async with gateway.post(asked):
        sent = json.loads(upstream.received[0].body)
    assert sent["stream_options"] == {"include_obfuscation": False, "include_usage": True}
    asked = question(stream=True, stream_options={"include_usage": True})
    async with gateway.post(asked):
        assert json.loads(upstream.received[1].body)["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("asked", "sent"), [({"max_tokens": 9}, 9), ({"max_completion_tokens": 200}, 50), ({"max_tokens": None}, 20)], ids=str
)
async def test_output_is_limited(start: Start, upstream: OpenAIStandIn, asked: dict[str, Any], sent: int) -> None:
    gateway = await start(default_output_tokens=20, max_output_tokens=50)
    async with gateway.post(question(**asked)) as response:
        status = response.status
    if max(value or 0 for value in asked.values()) > 50:
        assert (status, upstream.received) == (400, [])
        return
    limits = {name: value for name, value in json.loads(upstream.received[0].body).items() if name.startswith("max_") and value}
    assert list(limits.values()) == [sent]


async def test_safety_identifier_tells_users_apart_and_names_nobody(gateway: Gateway, upstream: OpenAIStandIn) -> None:
    for members in ({"safety_identifier": "anna"}, {"user": "bert"}, {"safety_identifier": "anna"}, {}):
        async with gateway.post(question(**members)) as response:
            assert response.status == 200
    seen = [json.loads(received.body)["safety_identifier"] for received in upstream.received]
    assert seen[0] == seen[2]
    assert len(set(seen)) == 3
    assert not {"anna", "bert", "team"} & {word for name in seen for word in (name, name[:4])}


@pytest.mark.parametrize("store", [True, False, None])
async def test_callers_own_store_is_kept(gateway: Gateway, upstream: OpenAIStandIn, store: bool | None) -> None:  # noqa: FBT001  a parameter
    async with gateway.post(question(store=store)):
        assert json.loads(upstream.received[0].body)["store"] is store


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


async def test_body_above_a_megabyte_passes(gateway: Gateway, upstream: OpenAIStandIn) -> None:
    body = json.dumps(question("x" * 3_000_000, store=True)).encode()
    async with gateway.post(body) as response:
        assert response.status == 200
    sent = upstream.received[0]
    assert added(sent.body, body).keys() == {"safety_identifier", "max_completion_tokens"}
    assert sent.headers["content-length"] == str(len(sent.body))


async def test_models_are_those_of_the_settings_the_free_ones_and_their_aliases(start: Start) -> None:
    tuned = "ft:gpt-5-nano:acme/x::1"
    gateway = await start(models=f"gpt-5-nano,{tuned}")
    async with gateway.openai as client:
        models = {model.id: model.to_dict() async for model in client.models.list()}
        assert list(models) == ["gpt-5-nano", tuned, "omni-moderation-latest", "fast"]
        assert models["fast"]["answers_as"] == "gpt-5-nano"
        assert models["fast"]["pricing"] == {"input": 0.05, "cached_input": 0.005, "output": 0.4}
        assert (await client.models.retrieve("gpt-5-nano")).owned_by == "openai"
        assert (await client.models.retrieve(tuned)).id == tuned
        with pytest.raises(openai.NotFoundError) as caught:
            await client.models.retrieve("gpt-4")
    assert caught.value.code == "model_not_found"


async def test_alias_goes_out_as_the_model_it_stands_for(gateway: Gateway, upstream: OpenAIStandIn) -> None:
    async with gateway.post(question(model="smart")) as response:
        assert response.headers["x-gateway-model"] == MODEL
    assert json.loads(upstream.received[0].body)["model"] == MODEL


SLOW_DOWN = b'{"error": {"message": "Slow down", "type": "requests", "param": null, "code": "rate_limit_exceeded"}}'
OUT_OF_MONEY = b'{"error": {"message": "Pay", "type": "insufficient_quota", "param": null, "code": "insufficient_quota"}}'
NOT_SO = b'{"error": {"message": "No", "type": "invalid_request_error", "param": "tools", "code": "invalid_value"}}'


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("status", "body"), [(429, SLOW_DOWN), (429, OUT_OF_MONEY), (400, NOT_SO)], ids=["rate", "quota", "refused"])
async def test_errors_of_openai_that_no_other_call_can_mend_pass_with_their_headers(
    start: Start,
    upstream: OpenAIStandIn,
    status: int,
    body: bytes,
    stream: bool,  # noqa: FBT001  a parameter
) -> None:
    gateway = await start(models=MODEL)  # no other can answer
    upstream.next = [fails(status, body, **{"retry-after": "31"})]  # longer than the gateway waits
    async with gateway.post(question(stream=stream)) as response:
        assert response.status == status
        assert await response.read() == body
        assert response.headers["retry-after"] == "31"
        assert response.headers["x-ratelimit-remaining-requests"] == "59"
    assert len(upstream.received) == 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_failure_that_may_pass_is_tried_again(start: Start, upstream: OpenAIStandIn, status: int, stream: bool) -> None:  # noqa: FBT001  a parameter
    gateway = await start(models=MODEL)
    upstream.next = [fails(status, SLOW_DOWN, **AT_ONCE)]
    async with gateway.post(question(stream=stream)) as response:
        assert response.status == 200
        assert "x-gateway-fallback" not in response.headers
    assert len(upstream.received) == 2
    assert upstream.received[0].body == upstream.received[1].body


async def test_other_model_answers_in_place_of_one_that_fails(gateway: Gateway, upstream: OpenAIStandIn) -> None:
    upstream.next = [fails(500, SLOW_DOWN, **AT_ONCE)] * 2
    async with gateway.post(question()) as response:
        assert response.status == 200
        assert (response.headers["x-gateway-fallback"], response.headers["x-gateway-model"]) == (MODEL, "gpt-5-nano")
    assert [json.loads(received.body)["model"] for received in upstream.received] == [MODEL, MODEL, "gpt-5-nano"]


@pytest.mark.parametrize(("status", "calls"), [(500, 4), (503, 4), (302, 1), (204, 1)])
async def test_answers_of_openai_that_are_none_become_ours(gateway: Gateway, upstream: OpenAIStandIn, status: int, calls: int) -> None:
    body = b"<html>nginx</html>" if status != 204 else b""
    upstream.always = fails(status, body, "text/html", location="http://127.0.0.1:1/", **AT_ONCE)
    async with gateway.post(question()) as response:
        assert response.status == 502
        assert (await error_of(response))["code"] == "upstream_error"
    assert len(upstream.received) == calls
