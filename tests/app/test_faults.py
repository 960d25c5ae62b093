"""Every way in which OpenAI can fail, streamed or not, and what the caller gets: over HTTP, through the whole gateway."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from sandbox.openai_server import OpenAIServer
from tests.app.conftest import OPENAI_KEY, Gateway, Start, error_of

FIRST, LAST = "gpt-5-mini", "gpt-5-nano"
"""Two models that are allowed: the second stands in for the first, and nothing for the second."""


class Case(NamedTuple):
    fault: Any
    status: int
    code: str | None
    """Of the error; for a stream that has begun, of its last event."""
    calls: int = 1
    fallback: bool = False
    """Whether the other model answers instead where there is one."""
    late: bool = False
    """Whether it happens when a stream has begun."""


TABLE = [
    Case("rate_limit", 429, "rate_limit_exceeded", calls=2, fallback=True),
    Case("insufficient_quota", 429, "insufficient_quota"),
    Case("organization_spend_limit", 429, "organization_spend_limit_exceeded"),
    Case("project_spend_limit", 429, "project_spend_limit_exceeded"),
    Case("server_error", 500, None, calls=2, fallback=True),
    Case("overloaded", 503, None, calls=2, fallback=True),
    Case("hang", 504, "upstream_timeout", fallback=True),
    Case("cut", 502, "upstream_cut", late=True),
]


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    server = OpenAIServer({OPENAI_KEY}, token_delay_s=0)
    await server.start()
    yield server
    await server.stop()


async def begin(start: Start, server: OpenAIServer, **settings: Any) -> Gateway:
    return await start(openai_base_url=server.url, **settings)


def ask(model: str, *, stream: bool) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": stream}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.fault)
async def test_without_another_model_the_caller_is_told(start: Start, server: OpenAIServer, case: Case, stream: bool) -> None:  # noqa: FBT001  a parameter
    gateway = await begin(start, server, request_timeout_s=2 if case.fault == "hang" else 10)
    server.add_fault(case.fault, times=None, retry_after_s=0)
    async with gateway.post(ask(LAST, stream=stream)) as response:
        if stream and case.late:
            assert response.status == 200
            *_, last = (await response.read()).rstrip(b"\n").split(b"\n\n")
            error = json.loads(last.removeprefix(b"data: "))["error"]
        else:
            assert response.status == case.status
            error = await error_of(response)
    assert error["code"] == case.code
    assert len(server.requests) == case.calls


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("case", [case for case in TABLE if case.fallback], ids=lambda case: case.fault)
async def test_another_model_answers_and_a_header_says_so(start: Start, server: OpenAIServer, case: Case, stream: bool) -> None:  # noqa: FBT001  a parameter
    gateway = await begin(start, server, request_timeout_s=6 if case.fault == "hang" else 10)
    server.add_fault(case.fault, times=None, model=FIRST, retry_after_s=2)
    async with gateway.post(ask(FIRST, stream=stream)) as response:
        assert response.status == 200
        assert response.headers["x-gateway-model"] == LAST
        assert response.headers["x-gateway-fallback"] == FIRST
        answer = await response.read()
    assert LAST.encode() in answer
    assert (b"[DONE]" in answer) is stream


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", ["slow", "silence"])
async def test_patience_is_rewarded(start: Start, server: OpenAIServer, fault: Any, stream: bool) -> None:  # noqa: FBT001  a parameter
    gateway = await begin(start, server, ping_s=0.05)
    server.add_fault(fault, delay_s=0.2)
    async with gateway.post(ask(FIRST, stream=stream)) as response:
        assert response.status == 200
        answer = await response.read()
    assert (b": ping\n\n" in answer) is stream
    assert b'"stop"' in answer
    assert len(server.requests) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_broken_answer_is_not_given_again(start: Start, server: OpenAIServer, valkey_url: str, stream: bool) -> None:  # noqa: FBT001  a parameter
    gateway = await begin(start, server, cache_url=valkey_url)
    server.add_fault("bad_json")
    async with gateway.post(ask(FIRST, stream=stream)) as response:
        await response.read()
    async with gateway.post(ask(FIRST, stream=stream)) as response:
        assert (response.status, response.headers["x-cache"]) == (200, "miss")
        assert b'"stop"' in await response.read()


@pytest.mark.parametrize("stream", [False, True])
async def test_no_connection_is_a_502(start: Start, server: OpenAIServer, stream: bool) -> None:  # noqa: FBT001  a parameter
    gateway = await begin(start, server)
    await server.stop()
    async with gateway.post(ask(LAST, stream=stream)) as response:
        assert response.status == 502
        assert (await error_of(response))["code"] == "upstream_unreachable"
