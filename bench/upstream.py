"""`python -m bench.upstream <port>`: OpenAI's side, as fast as can be: fixed bytes, plain or a stream of events, each written by itself."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from typing import Any, cast

import uvloop

MODEL = "gpt-5-mini"
EVENTS = 100
"""Events of an answer that is streamed, before those that carry its usage and its end."""
_USAGE = {"prompt_tokens": 120, "completion_tokens": 100, "total_tokens": 220}
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STREAM = re.compile(rb'"stream": ?true')
_TEXT = "The quick answer to that is that it depends on what is asked for, how often, and by whom. " * 5


def _event(delta: dict[str, str] | None, usage: dict[str, int] | None = None) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}]
    chunk = {"id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT", "object": "chat.completion.chunk", "created": 1741569952, "model": MODEL}
    return b"data: " + json.dumps(chunk | {"choices": choices, "usage": usage}).encode() + b"\n\n"


def _framed(event: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(event), event)


def _plain() -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": _TEXT, "refusal": None}, "finish_reason": "stop"}
    members: dict[str, Any] = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1741569952, "model": MODEL}
    body = json.dumps(members | {"choices": [choice], "usage": _USAGE}).encode()
    return b"%bcontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (_HEAD, len(body), body)


_HEAD = (
    b"HTTP/1.1 200 OK\r\nx-request-id: req_bench\r\nopenai-processing-ms: 5\r\nx-ratelimit-limit-requests: 10000\r\n"
    b"x-ratelimit-remaining-requests: 9999\r\nx-ratelimit-reset-requests: 6ms\r\n"
)
PLAIN = _plain()
STREAM_HEAD = _HEAD + b"content-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
STREAM = [
    _framed(_event({"role": "assistant", "content": ""})),
    *(_framed(_event({"content": f" word{number}"})) for number in range(EVENTS - 1)),
    _framed(_event(None, _USAGE)),
    _framed(b"data: [DONE]\n\n") + b"0\r\n\r\n",
]


class Connection(asyncio.Protocol):
    """One request at a time, as HTTP clients send them."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received = received = self._received + data if self._received else data
        head = received.find(b"\r\n\r\n") + 4
        if head < 4:  # noqa: PLR2004  not found
            return
        found = _LENGTH.search(received, 0, head)
        complete = len(received) - head >= int(found[1]) if found else received.startswith(b"GET") or received.endswith(b"0\r\n\r\n")
        if not complete:
            return
        self._received = b""
        if _STREAM.search(received, head):
            self._transport.write(STREAM_HEAD)
            self._next(0)
        else:
            self._transport.write(PLAIN)

    def _next(self, number: int) -> None:
        """Write an event in each turn of the loop, so that each leaves by itself."""
        if self._transport.is_closing():
            return
        self._transport.write(STREAM[number])
        if number + 1 < len(STREAM):
            self._loop.call_soon(self._next, number + 1)


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
