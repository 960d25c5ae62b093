"""The program as a process: it starts from environment variables alone and leaves without cutting anybody off."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from http import HTTPStatus

import pytest

from tests.app.conftest import Gateway, Start, question, spawn
from tests.app.stand_in import DONE, ENDING, TEXT, WORDS, OpenAIStandIn, completion, streams, waits


async def left(gateway: Gateway) -> int:
    """The exit code, once the process has ended by itself."""
    assert gateway.process is not None
    async with asyncio.timeout(10):
        return await gateway.process.wait()


def stop(gateway: Gateway) -> None:
    assert gateway.process is not None
    gateway.process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_starts_answers_and_leaves(run: Start, workers: str) -> None:
    gateway = await run(GATEWAY_WORKERS=workers, GATEWAY_STAGE="testing")
    async with gateway.get("/readyz") as response:
        assert await response.json() == {"status": "ready"}
        assert "server" not in response.headers
    async with gateway.post(question()) as response:
        assert await response.read() == completion(TEXT)
    line = await gateway.line("request")
    assert (line["stage"], line["level"], line["status"]) == ("testing", "info", 200)
    stop(gateway)
    assert await left(gateway) == 0


async def test_idle_process_leaves_at_once(run: Start) -> None:
    gateway = await run(GATEWAY_DRAIN_S="60")
    async with gateway.get("/readyz") as response:
        assert response.status == HTTPStatus.OK
    stop(gateway)
    async with asyncio.timeout(3):
        assert await left(gateway) == 0


async def test_stream_in_flight_survives_sigterm(run: Start, upstream: OpenAIStandIn) -> None:
    gateway = await run(GATEWAY_DRAIN_S="20")
    more = asyncio.Event()
    upstream.next = [streams(WORDS[0], more, *WORDS[1:], ENDING)]
    async with gateway.post(question(stream=True)) as response:
        first = await response.content.readany()
        stop(gateway)
        await gateway.line("draining")
        async with gateway.get("/readyz") as ready:
            assert ready.status == HTTPStatus.SERVICE_UNAVAILABLE
            assert "drain" in (await ready.json())["checks"]
            assert ready.headers["connection"] == "close"
        async with gateway.post(question()) as late:  # the balancer has yet to hear of it
            assert late.status == HTTPStatus.OK
            assert late.headers["connection"] == "close"
        more.set()
        assert first + await response.read() == b"".join(WORDS) + DONE
    assert await left(gateway) == 0


async def test_stream_outlives_the_listener(run: Start, upstream: OpenAIStandIn) -> None:
    gateway = await run(GATEWAY_DRAIN_S="3")
    more = asyncio.Event()
    upstream.next = [streams(WORDS[0], more, *WORDS[1:], ENDING)]
    async with gateway.post(question(stream=True)) as response:
        first = await response.content.readany()
        stop(gateway)
        await gateway.line("draining_closed")
        async with asyncio.timeout(2):
            while await connects(gateway):
                pass
        more.set()
        assert first + await response.read() == b"".join(WORDS) + DONE
    assert await left(gateway) == 0


async def connects(gateway: Gateway) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", int(gateway.url.rpartition(":")[2]))
    except OSError:
        return False
    writer.close()
    return True


async def test_drain_ends_in_time_and_says_so_to_those_it_cuts_off(run: Start, upstream: OpenAIStandIn) -> None:
    gateway = await run(GATEWAY_DRAIN_S="1")
    begun = asyncio.Event()

    async def hang(request: object) -> object:
        begun.set()
        return await waits(asyncio.Event(), streams())(request)  # type: ignore[arg-type]

    upstream.next = [streams(WORDS[0], asyncio.Event()), hang]  # type: ignore[list-item]
    async with gateway.post(question(stream=True)) as response:
        await response.content.readany()
        plain = asyncio.create_task(
            gateway.http.post(f"{gateway.url}/v1/chat/completions", json=question(), headers={"authorization": f"Bearer {gateway.key}"})
        )
        await begun.wait()
        stop(gateway)
        last = (await response.read()).removeprefix(b"data: ")
        assert json.loads(last)["error"]["code"] == "shutdown"
        async with await plain as cut:
            assert cut.status == HTTPStatus.SERVICE_UNAVAILABLE
            assert (await cut.json())["error"]["code"] == "unavailable"
    assert await left(gateway) == 0


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"GATEWAY_PORT": "http"}, "GATEWAY_PORT"),
        ({"GATEWAY_PING_SECONDS": "5"}, "GATEWAY_PING_SECONDS: there is no such setting"),
        ({"OPENAI_BASE_URL": "api.openai.com"}, "OPENAI_BASE_URL"),
        ({"GATEWAY_CACHE_IAM_CLUSTER": "c", "GATEWAY_CACHE_URL": "redis://h:1"}, "rediss://"),
    ],
)
async def test_wrong_settings_are_named_one_a_line(environment: dict[str, str], named: str) -> None:
    process = await spawn({"OPENAI_API_KEY": "sk-not-to-be-seen", **environment})
    out, err = await process.communicate()
    assert process.returncode == 2
    assert out == b""
    assert named in err.decode()
    assert len(err.splitlines()) == 1
    assert b"sk-not" not in err


async def test_port_in_use_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = await spawn({"GATEWAY_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)})
        out, err = await process.communicate()
    assert process.returncode == 2
    assert out == b""
    assert str(port) in err.decode()
    assert len(err.splitlines()) == 1
