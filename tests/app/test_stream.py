"""A chat request that is streamed: in time, byte for byte, kept alive, and never ended without a word."""

from __future__ import annotations

import asyncio
import json

import openai
import pytest
from hypothesis import given, strategies as st

from app.stream import PING, Events
from tests.app.conftest import Gateway, Start, error_of, question
from tests.app.stand_in import DONE, ENDING, MODEL, TEXT, WORDS, OpenAIStandIn, fails, streams, waits

ASKED = question(stream=True, stream_options={"include_usage": True})


async def test_openai_client_gets_a_stream(gateway: Gateway) -> None:
    async with gateway.openai as client:
        stream = await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "hi"}], stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == TEXT
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 10


async def test_events_pass_as_they_arrive(gateway: Gateway, upstream: OpenAIStandIn) -> None:
    more = asyncio.Event()
    upstream.next = [streams(WORDS[0], more, *WORDS[1:], ENDING)]
    async with gateway.post(ASKED) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["x-ratelimit-remaining-requests"] == "59"
        assert await response.content.readany() == WORDS[0]  # while the rest has yet to be written
        more.set()
        assert await response.read() == b"".join(WORDS[1:]) + ENDING


async def test_usage_is_hidden_from_who_did_not_ask_for_it(
    gateway: Gateway, upstream: OpenAIStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    for upstream.next in ([streams(*WORDS, ENDING)], [streams(b"".join(WORDS) + ENDING)]):  # in pieces of its own, and among others
        async with gateway.post(question(stream=True)) as response:
            assert await response.read() == b"".join(WORDS) + DONE
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["completion_tokens"] for line in lines if line["event"] == "request"] == [3, 3]


async def test_silence_is_filled_with_pings_before_and_between_events(start: Start, upstream: OpenAIStandIn) -> None:
    gateway = await start(ping_s=0.05)
    begin, more = asyncio.Event(), asyncio.Event()
    upstream.next = [waits(begin, streams(WORDS[0], more, ENDING))]
    async with gateway.post(ASKED) as response:
        assert await response.content.readexactly(len(PING)) == PING
        begin.set()
        seen = b""
        while WORDS[0] not in seen:
            seen += await response.content.readany()
        while not seen.endswith(WORDS[0] + PING):
            seen += await response.content.readany()
        more.set()
        rest = await response.read()
    assert (seen + rest).replace(PING, b"") == WORDS[0] + ENDING


async def test_ping_never_stands_within_an_event(start: Start, upstream: OpenAIStandIn) -> None:
    gateway = await start(ping_s=0.05)
    more = asyncio.Event()
    half = len(WORDS[1]) // 2
    upstream.next = [streams(WORDS[0] + WORDS[1][:half], more, WORDS[1][half:] + ENDING)]
    async with gateway.post(ASKED) as response:
        seen = b""
        while not seen.endswith(PING):
            seen += await response.content.readany()
        more.set()
        seen += await response.read()
    assert seen.replace(PING, b"") == WORDS[0] + WORDS[1] + ENDING


async def test_openai_client_reads_over_pings(start: Start, upstream: OpenAIStandIn) -> None:
    gateway = await start(ping_s=0.02)
    begin = asyncio.Event()
    upstream.next = [waits(begin, streams(*WORDS, ENDING))]
    async with gateway.openai as client:
        stream = await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hi"}], stream=True)
        begin.set()  # `create` returned, so a ping has come before the answer
        chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == TEXT


@pytest.mark.parametrize(
    "rest",
    [(WORDS[1], None), (WORDS[1][:20], None), (WORDS[1],), (*WORDS[1:], ENDING[:-4])],
    ids=["cut between events", "cut within an event", "ended early", "cut within the last event"],
)
async def test_cut_stream_ends_with_an_error_event(gateway: Gateway, upstream: OpenAIStandIn, rest: tuple[bytes | None, ...]) -> None:
    first, second = asyncio.Event(), asyncio.Event()
    upstream.next = [streams(WORDS[0], first, *rest), streams(WORDS[0], second, *rest)]
    async with gateway.post(ASKED) as response:
        await response.content.readany()
        first.set()
        *_, last, after = (await response.read()).split(b"\n\n")
    assert after == b""
    assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "upstream_cut"
    async with gateway.openai as client:
        stream = await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hi"}], stream=True)
        await anext(aiter(stream))
        second.set()
        with pytest.raises(openai.APIError, match=r"OpenAI"):
            [chunk async for chunk in stream]


async def test_stream_that_is_cut_before_its_first_event_is_a_502(gateway: Gateway, upstream: OpenAIStandIn) -> None:
    for upstream.next in ([streams(None)], [streams()], [streams(WORDS[0][:20], None)]):
        async with gateway.post(ASKED) as response:
            assert response.status == 502
            assert (await error_of(response))["code"] == "upstream_cut"


async def test_error_after_a_ping_is_an_error_event(start: Start, upstream: OpenAIStandIn) -> None:
    gateway = await start(ping_s=0.02, models=MODEL)
    late = asyncio.Event()
    body = b'{\n  "error": {"message": "Slow down", "type": "requests", "param": null, "code": "rate_limit_exceeded"}\n}'
    upstream.next = [waits(late, fails(429, body, **{"x-should-retry": "false"}))]
    async with gateway.post(ASKED) as response:
        assert await response.content.readexactly(len(PING)) == PING
        late.set()
        last = (await response.read()).replace(PING, b"")
    assert json.loads(last.removeprefix(b"data: ")) == json.loads(body)


@pytest.mark.parametrize("stream", [False, True])
async def test_deadline_before_the_first_byte_is_a_504(start: Start, upstream: OpenAIStandIn, stream: bool) -> None:  # noqa: FBT001  a parameter
    gateway = await start(request_timeout_s=0.1)
    gone = asyncio.Event()
    upstream.always = waits(asyncio.Event(), streams(), gone)
    async with gateway.post(question(stream=stream)) as response:
        assert response.status == 504
        assert (await response.json())["error"]["code"] == "upstream_timeout"
    await gone.wait()


@pytest.mark.parametrize("stream", [False, True])
async def test_other_model_answers_in_half_of_the_time(start: Start, upstream: OpenAIStandIn, stream: bool) -> None:  # noqa: FBT001  a parameter
    gateway = await start(request_timeout_s=4)
    gone = asyncio.Event()
    upstream.next = [waits(asyncio.Event(), streams(), gone)]
    async with gateway.post(question(stream=stream)) as response:
        assert (response.status, response.headers["x-gateway-fallback"]) == (200, MODEL)
        assert TEXT.split()[0].encode() in await response.read()
    await gone.wait()


async def test_deadline_within_a_stream_is_an_error_event(start: Start, upstream: OpenAIStandIn) -> None:
    gateway = await start(request_timeout_s=1)
    upstream.next = [streams(*WORDS, asyncio.Event())]
    async with gateway.post(ASKED) as response:
        last = (await response.read()).split(b"\n\n")[-2]
    assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "upstream_timeout"


@pytest.mark.parametrize("stream", [False, True])
async def test_unreachable_openai_is_a_502(start: Start, stream: bool) -> None:  # noqa: FBT001  a parameter
    gateway = await start(openai_base_url="http://127.0.0.1:1/v1")
    async with gateway.post(question(stream=stream)) as response:
        assert response.status == 502
        assert (await response.json())["error"]["code"] == "upstream_unreachable"


@pytest.mark.parametrize("stream", [False, True])
async def test_caller_who_hangs_up_ends_the_call_upstream(
    gateway: Gateway,
    upstream: OpenAIStandIn,
    capsys: pytest.CaptureFixture[str],
    stream: bool,  # noqa: FBT001  a parameter
) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()
    hang = waits(asyncio.Event(), streams(), gone)

    async def behave(request: object) -> object:
        asked.set()
        return await hang(request)  # type: ignore[arg-type]

    upstream.next = [behave]  # type: ignore[list-item]
    call = asyncio.create_task(
        gateway.http.post(
            f"{gateway.url}/v1/chat/completions", json=question(stream=stream), headers={"authorization": f"Bearer {gateway.key}"}
        )
    )
    await asked.wait()
    call.cancel()
    async with asyncio.timeout(5):
        await gone.wait()
    async with gateway.post(question()) as response:
        assert response.status == 200
    logged = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"status": 499, "error": "caller_gone"}.items() <= logged[0].items()


async def test_log_line_of_a_stream(gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    async with gateway.post(question("a private matter", stream=True)) as response:
        await response.read()
        request_id = response.headers["x-request-id"]
    out = capsys.readouterr().out
    line = json.loads(out)
    assert line["event"] == "request"
    assert line["request_id"] == request_id
    assert (line["model"], line["status"], line["path"]) == (MODEL, 200, "/v1/chat/completions")
    assert (line["prompt_tokens"], line["completion_tokens"]) == (7, 3)
    assert 0 < line["first_byte_ms"] <= line["duration_ms"]
    assert "private" not in out
    assert gateway.key not in out
    assert "dear" not in out.replace(str(request_id), "")  # four letters, which an id of random ones may well have


@given(st.lists(st.sampled_from([b"data: a\n\n", b"data: b\r\n\r\n", b": c\n\n", b"event: d\ndata: e\n\n"])), st.data())
def test_events_are_cut_only_between_each_other(events: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    cutter = Events()
    pieces = [cutter.feed(stream[a:b]) for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert b"".join(pieces) == stream
    assert all(piece.endswith((b"\n\n", b"\r\n\r\n")) for piece in pieces if piece)
