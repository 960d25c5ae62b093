"""`/metrics` on its own port."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest

from app.metrics_server import MAX_HEAD_BYTES, MetricsServer

TEXT = 'a_total{stage="s"} 1\n'


@pytest.fixture
async def server() -> AsyncIterator[MetricsServer]:
    server = MetricsServer(lambda: TEXT, "127.0.0.1", 0)
    await server.start()
    yield server
    await server.close()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/metrics", 200), ("GET", "/metrics?x=1", 200), ("HEAD", "/metrics", 200), ("POST", "/metrics", 405), ("GET", "/", 404)],
)
async def test_answers(server: MetricsServer, method: str, path: str, status: int) -> None:
    async with aiohttp.ClientSession() as http, http.request(method, f"http://127.0.0.1:{server.port}{path}") as response:
        assert response.status == status
        assert response.headers["content-type"].startswith("text/plain")
        assert ("version=0.0.4" in response.headers["content-type"]) == (status == 200)
        text = await response.text()
        assert (text == TEXT) == (status == 200 and method == "GET")
        assert int(response.headers["content-length"]) == len(text) or method == "HEAD"


@pytest.mark.parametrize("sent", [b"x" * (MAX_HEAD_BYTES * 4), b"\r\n\r\n", b"GET\r\n\r\n", b"GET /metrics"])
async def test_what_is_no_request_ends_its_connection_alone(server: MetricsServer, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(sent)
    writer.write_eof()
    try:
        async with asyncio.timeout(10):
            answered = await reader.read()
    except ConnectionResetError:
        answered = b""
    assert b" 200 " not in answered
    writer.close()
    await test_answers(server, "GET", "/metrics", 200)


async def test_each_worker_takes_the_next_free_port(capsys: pytest.CaptureFixture[str]) -> None:
    first, second, third = (MetricsServer(lambda: TEXT, "127.0.0.1", port, workers=2) for port in [pair_of_ports()] * 3)
    await first.start()
    await second.start()
    assert second.port == first.port + 1 > 1
    await third.start()
    assert third.port == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["event"], last["level"]) == ("metrics_unavailable", "error")
    assert "GATEWAY_METRICS_PORT" in last["fix"]
    await first.close()
    await third.start()  # a worker in the place of one that has ended
    assert third.port == second.port - 1
    await test_answers(third, "GET", "/metrics", 200)
    await second.close()
    await third.close()


def pair_of_ports() -> int:
    """The first of two free ports beside each other."""
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            try:
                other.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port
