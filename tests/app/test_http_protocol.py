"""An answer's head and the beginning of its body leave in one piece, and nothing is ever kept back."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from app.http_protocol import Joining
from tests.app.conftest import Gateway

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class Transport:
    """Notes what is written, call by call."""

    def __init__(self) -> None:
        self.calls: list[list[bytes]] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.calls.append([data])

    def writelines(self, parts: Any) -> None:
        self.calls.append(list(parts))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def joining() -> tuple[Transport, Joining]:
    transport = Transport()
    return transport, Joining(transport)  # type: ignore[arg-type]  # in what is asked of it, it is one


def test_head_leaves_with_the_body_and_what_follows_by_itself() -> None:
    transport, out = joining()
    for data in (HEAD, b"hi", b"more", HEAD, b"", b"end"):
        out.write(data)
    assert transport.calls == [[HEAD, b"hi"], [b"more"], [HEAD], [b"end"]]


@pytest.mark.parametrize(
    "whole", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\nno", b"data: a\r\n\r\n"]
)
def test_what_is_no_head_leaves_at_once(whole: bytes) -> None:
    transport, out = joining()
    out.write(whole)
    assert transport.calls == [[whole]]


def test_head_leaves_before_the_connection_is_closed() -> None:
    transport, out = joining()
    out.write(HEAD)
    out.close()
    assert transport.calls == [[HEAD]]
    assert out.is_closing()


async def said(gateway: Gateway, text: bytes, *, until: bytes = b"", then: bytes = b"") -> bytes:
    """What comes back on a connection of its own, read to its end; `then` is sent once `until` was read."""
    host, port = gateway.url.removeprefix("http://").split(":")
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(text)
        read = b""
        if until:
            read = await reader.readuntil(until)
            writer.write(then)
        while chunk := await reader.read(65536):
            read += chunk
        writer.close()
        return read


async def test_head_without_a_body(gateway: Gateway) -> None:
    async with gateway.http.head(f"{gateway.url}/healthz") as response:
        assert response.status == 200
    async with gateway.http.head(f"{gateway.url}/healthz") as response:  # on the same connection
        assert response.status == 200


async def test_two_requests_sent_at_once_are_answered_in_order(gateway: Gateway) -> None:
    first = b"HEAD /healthz HTTP/1.1\r\nhost: a\r\n\r\n"
    second = b"GET /nothing HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    read = await said(gateway, first + second)
    assert [line for line in read.split(b"\r\n") if line.startswith(b"HTTP/")] == [b"HTTP/1.1 200 OK", b"HTTP/1.1 404 Not Found"]


async def test_whoever_asks_first_is_told_to_go_on(gateway: Gateway) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\nconnection: close\r\n"
    head += b"authorization: Bearer " + gateway.key.encode() + b"\r\n\r\n"
    read = await said(gateway, head, until=b"HTTP/1.1 100 Continue\r\n\r\n", then=b"{}")
    assert b"HTTP/1.1 400 Bad Request" in read
    assert b"messages" in read or b"model" in read


async def test_what_is_not_http_is_refused(gateway: Gateway) -> None:
    assert (await said(gateway, b"hello\r\n\r\n")).startswith(b"HTTP/1.1 400 Bad Request")


async def test_answers_on_a_connection_that_stays(gateway: Gateway) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as one:
        for _ in range(3):
            async with one.get(f"{gateway.url}/v1/models", headers={"authorization": f"Bearer {gateway.key}"}) as response:
                assert (await response.json())["object"] == "list"
