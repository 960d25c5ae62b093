"""OpenAI's own client is the judge: it parses every answer, stream and error of the stand-in."""

import asyncio
import json
import math
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import httpx2
import openai
import pytest
import toktok
from openai.types.responses import ResponseCompletedEvent, ResponseIncompleteEvent, ResponseTextDeltaEvent

from sandbox.openai_server import OpenAIServer

KEY = "sk-0123456789abcdef"
MODEL = "gpt-5-mini"
ASK: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "How are you?"}]


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    server = OpenAIServer({KEY}, organization="org-ours", project="proj-ours", token_delay_s=0)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def client(server: OpenAIServer) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=server.url, api_key=KEY, max_retries=0, timeout=5, organization=None, project=None, _strict_response_validation=True
    ) as client:
        yield client


def count(text: str) -> int:
    return int(toktok.batch_count([text], "o200k_base")[0])


async def test_chat(client: openai.AsyncOpenAI) -> None:
    first, again = [await client.chat.completions.create(model=MODEL, messages=ASK) for _ in range(2)]
    text = first.choices[0].message.content or ""
    assert "stand-in" in text
    assert '"How are you?"' in text
    assert first.choices[0].finish_reason == "stop"
    assert again.choices == first.choices
    assert again.id != first.id
    assert first.usage
    read = count("system") + count("Be brief.") + count("user") + count("How are you?") + 2 * 3 + 3
    assert (first.usage.prompt_tokens, first.usage.completion_tokens) == (read, count(text))
    assert first.usage.total_tokens == read + count(text)


async def test_chat_obeys_n_limit_and_stop(client: openai.AsyncOpenAI) -> None:
    several = await client.chat.completions.create(model=MODEL, messages=ASK, n=3)
    assert [choice.index for choice in several.choices] == [0, 1, 2]
    assert len({choice.message.content for choice in several.choices}) == 3
    for limit in ({"max_tokens": 5}, {"max_completion_tokens": 5}):
        short = await client.chat.completions.create(model=MODEL, messages=ASK, extra_body=limit)
        assert short.choices[0].finish_reason == "length"
        assert short.usage
        assert short.usage.completion_tokens == 5
    stopped = await client.chat.completions.create(model=MODEL, messages=ASK, stop=["never said", " for"])
    assert (stopped.choices[0].message.content, stopped.choices[0].finish_reason) == ("This is a stand-in", "stop")


async def test_chat_streams_token_by_token(client: openai.AsyncOpenAI) -> None:
    whole = await client.chat.completions.create(model=MODEL, messages=ASK)
    chunks = [chunk async for chunk in await client.chat.completions.create(model=MODEL, messages=ASK, stream=True)]
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content]
    assert "".join(pieces) == whole.choices[0].message.content
    assert whole.usage
    assert len(pieces) == whole.usage.completion_tokens
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks[-2:]] == [None, "stop"]
    assert {chunk.usage for chunk in chunks} == {None}
    assert len({chunk.id for chunk in chunks}) == 1


async def test_a_stream_ends_with_the_usage_when_asked(client: openai.AsyncOpenAI) -> None:
    whole = await client.chat.completions.create(model=MODEL, messages=ASK)
    stream = await client.chat.completions.create(model=MODEL, messages=ASK, stream=True, stream_options={"include_usage": True})
    *rest, last = [chunk async for chunk in stream]
    assert (last.choices, last.usage) == ([], whole.usage)
    assert all(chunk.choices and chunk.usage is None for chunk in rest)


async def test_a_character_of_several_tokens_is_sent_whole(client: openai.AsyncOpenAI) -> None:
    ask: Any = [{"role": "user", "content": "🧠 héllo 你好"}]
    text = ""
    async for chunk in await client.chat.completions.create(model=MODEL, messages=ask, stream=True, n=2):
        text += (chunk.choices[0].delta.content or "") if chunk.choices[0].index == 1 else ""
    assert "🧠 héllo 你好" in text
    assert text.endswith("(Answer 2.)")


async def test_completions(client: openai.AsyncOpenAI) -> None:
    model = "gpt-3.5-turbo-instruct"
    default = await client.completions.create(model=model, prompt="Say it")
    assert default.choices[0].finish_reason == "length"
    assert default.usage
    assert default.usage.completion_tokens == 16, "OpenAI's default"
    several = await client.completions.create(model=model, prompt=["one", "two"], n=2, max_tokens=100)
    assert ['"one"' in choice.text for choice in several.choices] == [True, True, False, False]
    client._strict_response_validation = False  # its type knows no choice that goes on, which OpenAI's streams have
    chunks = [chunk async for chunk in await client.completions.create(model=model, prompt="one", max_tokens=100, stream=True)]
    assert "".join(chunk.choices[0].text for chunk in chunks) == several.choices[0].text
    assert chunks[-1].choices[0].finish_reason == "stop"


async def test_embeddings(client: openai.AsyncOpenAI) -> None:
    client._strict_response_validation = False  # strict, the client refuses the base64 that it asks for
    model, texts = "text-embedding-3-small", ["one", "two", "one"]
    answer = await client.embeddings.create(model=model, input=texts)
    plain = await client.embeddings.create(model=model, input=texts, encoding_format="float")
    for packed, item in zip(answer.data, plain.data, strict=True):
        assert packed.embedding == pytest.approx(item.embedding)
    one, two, again = [item.embedding for item in plain.data]
    assert one == again != two
    assert len(one) == 1536
    assert math.isclose(math.hypot(*one), 1, rel_tol=1e-6)
    assert answer.usage.prompt_tokens == 3
    assert len((await client.embeddings.create(model=model, input="x", dimensions=8)).data[0].embedding) == 8


async def test_moderations(client: openai.AsyncOpenAI) -> None:
    answer = await client.moderations.create(input=["hello", "I will kill you"])
    assert [result.flagged for result in answer.results] == [False, True]
    assert answer.results[1].categories.violence
    assert not answer.results[1].categories.self_harm_intent


async def test_responses(client: openai.AsyncOpenAI) -> None:
    answer = await client.responses.create(model=MODEL, input="How are you?", instructions="Be brief.")
    assert '"How are you?"' in answer.output_text
    assert answer.status == "completed"
    assert answer.usage
    assert answer.usage.output_tokens == count(answer.output_text)
    listed = await client.responses.create(
        model=MODEL, input=[{"role": "user", "content": [{"type": "input_text", "text": "How are you?"}]}]
    )
    assert listed.output_text == answer.output_text


async def test_responses_stream_in_openais_order(client: openai.AsyncOpenAI) -> None:
    events = [event async for event in await client.responses.create(model=MODEL, input="Hi", stream=True)]
    deltas = [event for event in events if isinstance(event, ResponseTextDeltaEvent)]
    last = events[-1]
    assert isinstance(last, ResponseCompletedEvent)
    assert "".join(event.delta for event in deltas) == last.response.output_text
    assert list(dict.fromkeys(event.type for event in events)) == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))


async def test_a_limited_response_is_incomplete(client: openai.AsyncOpenAI) -> None:
    events = [event async for event in await client.responses.create(model=MODEL, input="Hi", stream=True, max_output_tokens=16)]
    last = events[-1]
    assert isinstance(last, ResponseIncompleteEvent)
    assert last.response.incomplete_details
    assert last.response.incomplete_details.reason == "max_output_tokens"


async def test_models(client: openai.AsyncOpenAI) -> None:
    assert MODEL in [model.id async for model in client.models.list()]
    assert (await client.models.retrieve(MODEL)).id == MODEL
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("gpt-none")


async def test_the_headers_of_openai(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.with_raw_response.create(model=MODEL, messages=ASK)
    limits = {f"x-ratelimit-{name}-{unit}" for name in ("limit", "remaining", "reset") for unit in ("requests", "tokens")}
    assert limits | {"x-request-id", "openai-processing-ms", "openai-version"} <= set(answer.headers.keys())
    assert answer.headers["openai-organization"] == "org-ours"


async def test_keys_can_be_rotated(server: OpenAIServer, client: openai.AsyncOpenAI) -> None:
    server.keys.clear()
    with pytest.raises(openai.AuthenticationError) as refused:
        await client.models.list()
    assert (refused.value.code, refused.value.type) == ("invalid_api_key", "invalid_request_error")
    assert KEY not in str(refused.value)
    server.keys.add(KEY)
    await client.models.list()


@pytest.mark.parametrize("name", ["organization", "project"])
async def test_another_organization_or_project_is_refused(client: openai.AsyncOpenAI, name: Any) -> None:
    other = client.with_options(organization="another") if name == "organization" else client.with_options(project="another")
    with pytest.raises(openai.AuthenticationError) as refused:
        await other.models.list()
    assert refused.value.code == f"mismatched_{name}"
    await client.with_options(organization="org-ours", project="proj-ours").models.list()


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/chat/completions", b"{", 400, None),
        ("/chat/completions", {"messages": ASK}, 400, None),
        ("/chat/completions", {"model": "gpt-none", "messages": ASK}, 404, "model_not_found"),
        ("/chat/completions", {"model": MODEL}, 400, "missing_required_parameter"),
        ("/chat/completions", {"model": MODEL, "messages": "hi"}, 400, "invalid_type"),
        ("/chat/completions", {"model": MODEL, "messages": []}, 400, "empty_array"),
        ("/chat/completions", {"model": MODEL, "messages": ASK, "n": 0}, 400, "integer_below_min_value"),
        ("/chat/completions", {"model": MODEL, "messages": ASK, "stop": 1}, 400, "invalid_type"),
        ("/chat/completions", {"model": MODEL, "messages": ASK, "stream": True, "stream_options": "x"}, 400, "invalid_type"),
        ("/embeddings", {"model": MODEL, "input": [{}]}, 400, "invalid_type"),
        ("/nothing", {}, 404, None),
    ],
)
async def test_bad_requests_get_openais_errors(client: openai.AsyncOpenAI, path: str, body: Any, status: int, code: str | None) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(openai.APIStatusError) as refused:
        await client.post(path, content=content, cast_to=httpx2.Response)
    assert (refused.value.status_code, refused.value.code, refused.value.type) == (status, code, "invalid_request_error")


async def test_a_wrong_method_is_refused(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        await client.get("/embeddings", cast_to=httpx2.Response)
    assert (refused.value.status_code, refused.value.code) == (405, "method_not_supported")


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("rate_limit", 429, "rate_limit_exceeded"),
        ("insufficient_quota", 429, "insufficient_quota"),
        ("organization_spend_limit", 429, "organization_spend_limit_exceeded"),
        ("project_spend_limit", 429, "project_spend_limit_exceeded"),
        ("server_error", 500, None),
        ("overloaded", 503, None),
    ],
)
async def test_faults_that_are_errors(server: OpenAIServer, client: openai.AsyncOpenAI, kind: Any, status: int, code: str | None) -> None:
    server.add_fault(kind, retry_after_s=7)
    with pytest.raises(openai.APIStatusError) as failed:
        await client.chat.completions.create(model=MODEL, messages=ASK)
    assert (failed.value.status_code, failed.value.code) == (status, code)
    assert failed.value.response.headers.get("retry-after") == ("7" if kind == "rate_limit" else None)
    await client.chat.completions.create(model=MODEL, messages=ASK)  # only once


async def test_a_hanging_request_never_answers(server: OpenAIServer, client: openai.AsyncOpenAI) -> None:
    server.add_fault("hang")
    with pytest.raises(openai.APITimeoutError):
        await client.with_options(timeout=0.1).chat.completions.create(model=MODEL, messages=ASK)


async def test_a_slow_request_answers_late(server: OpenAIServer, client: openai.AsyncOpenAI) -> None:
    server.add_fault("slow", delay_s=0.2)
    began = asyncio.get_running_loop().time()
    await client.chat.completions.create(model=MODEL, messages=ASK)
    assert asyncio.get_running_loop().time() - began >= 0.2


async def test_a_stream_falls_silent(server: OpenAIServer, client: openai.AsyncOpenAI) -> None:
    server.add_fault("silence", delay_s=0.2, after_chunks=2)
    clock = asyncio.get_running_loop().time
    times = [clock() async for _ in await client.chat.completions.create(model=MODEL, messages=ASK, stream=True)]
    assert times[2] - times[1] >= 0.15
    assert times[1] - times[0] < 0.15


async def test_a_stream_is_cut(server: OpenAIServer, client: openai.AsyncOpenAI) -> None:
    server.add_fault("cut", after_chunks=3)
    seen = []

    async def read() -> None:
        async for chunk in await client.chat.completions.create(model=MODEL, messages=ASK, stream=True):
            seen.append(chunk)  # noqa: PERF401  what came before the error counts

    with pytest.raises(openai.APIError):
        await read()
    assert len(seen) == 3


async def test_an_answer_is_cut(server: OpenAIServer, client: openai.AsyncOpenAI) -> None:
    server.add_fault("cut")
    with pytest.raises(openai.APIError):
        await client.chat.completions.create(model=MODEL, messages=ASK)


async def test_an_answer_that_is_not_json(server: OpenAIServer, client: openai.AsyncOpenAI) -> None:
    server.add_fault("bad_json")
    raw = await client.post("/chat/completions", body={"model": MODEL, "messages": ASK}, cast_to=httpx2.Response)
    assert raw.status_code == 200
    with pytest.raises(ValueError, match="Unterminated"):
        raw.json()


async def test_faults_meet_the_path_and_model_that_they_name(server: OpenAIServer, client: openai.AsyncOpenAI) -> None:
    client._strict_response_validation = False
    server.add_fault("server_error", path="/v1/embeddings", times=None)
    server.add_fault("overloaded", model="gpt-5-nano", times=2)
    await client.chat.completions.create(model=MODEL, messages=ASK)
    for _ in range(2):
        with pytest.raises(openai.InternalServerError):
            await client.embeddings.create(model="text-embedding-3-small", input="x")
        with pytest.raises(openai.InternalServerError):
            await client.chat.completions.create(model="gpt-5-nano", messages=ASK)
    await client.chat.completions.create(model="gpt-5-nano", messages=ASK)
    server.clear_faults()
    await client.embeddings.create(model="text-embedding-3-small", input="x")


async def test_the_control_endpoints(server: OpenAIServer, client: openai.AsyncOpenAI) -> None:
    base = server.url.removesuffix("/v1")
    async with aiohttp.ClientSession(base) as http:
        async with http.post("/faults", json={"kind": "rate_limit", "model": MODEL}) as answer:
            assert [fault["kind"] for fault in await answer.json()] == ["rate_limit"]
        async with http.post("/faults", json={"kind": "flood", "colour": "red"}) as answer:
            assert answer.status == 400
            assert sorted(line.partition(":")[0] for line in (await answer.json())["problems"]) == ["colour", "kind"]
        async with http.delete("/faults") as answer:
            assert await answer.json() == []
        await client.with_options(organization="org-ours").chat.completions.create(model=MODEL, messages=ASK)
        async with http.get("/requests") as answer:
            text = await answer.text()
        (seen,) = json.loads(text)
        assert (seen["method"], seen["path"], seen["model"]) == ("POST", "/v1/chat/completions", MODEL)
        assert (seen["organization"], seen["project"], seen["body"]["messages"]) == ("org-ours", None, ASK)
        assert KEY not in text
        async with http.delete("/requests") as answer:
            assert await answer.json() == []
