"""A streamed answer: server-sent events to the caller, kept alive through silence and never ended without a word."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Self

from starlette.types import Send

from app.access import Entry
from app.errors import GatewayError

PING = b": ping\n\n"
DONE = b"data: [DONE]"
Headers = list[tuple[bytes, bytes]]
HEADERS: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


class EventStream:
    """Sends whole events. The status line goes out with the first of them, or with the first ping if that comes earlier.

    The ping is a timer that looks at the time of the last event: an event that passes costs one clock reading for it.
    """

    def __init__(self, send: Send, ping_s: float, entry: Entry) -> None:
        self.started = False
        self.headers: Headers = []
        self._send = send
        self._entry = entry
        self._ping_s = ping_s
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._timer = self._loop.call_later(ping_s, self._tick)
        self._ping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop()

    async def write(self, events: bytes) -> None:
        """Send one or more whole events."""
        if self._entry.first_byte is None:
            self._entry.first_byte = time.perf_counter()
        await self._write(events)

    async def end(self, events: bytes = b"") -> None:
        self._stop()
        if events and self._entry.first_byte is None:
            self._entry.first_byte = time.perf_counter()
        await self._write(events, more=False)

    async def fail(self, error: GatewayError) -> None:
        """End a stream that cannot go on, with an event that OpenAI's clients raise as an error."""
        await self.end(b"data: " + b" ".join(error.body().splitlines()) + b"\n\n")

    async def _write(self, events: bytes, *, more: bool = True) -> None:
        self._last = self._loop.time()
        if not self.started:
            self.started = True
            await self._send({"type": "http.response.start", "status": 200, "headers": HEADERS + self.headers})
        await self._send({"type": "http.response.body", "body": events, "more_body": more})

    def _stop(self) -> None:
        self._timer.cancel()
        if self._ping:
            self._ping.cancel()

    def _tick(self) -> None:
        rest_s = self._last + self._ping_s - self._loop.time()
        if rest_s <= 0:
            if self._ping is None or self._ping.done():  # else the caller does not even read the last one
                self._ping = self._loop.create_task(self._write(PING))
            rest_s = self._ping_s
        self._timer = self._loop.call_later(rest_s, self._tick)


class Events:
    """Cuts a byte stream after whole events, so that a ping or an error can stand between any two, without looking into them."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> bytes:
        """The whole events that are there now; an unfinished one is kept back."""
        if not self._rest and chunk.endswith(b"\n\n"):
            return chunk
        data = self._rest + chunk
        end = max(data.rfind(b"\n\n") + 2, data.rfind(b"\r\n\r\n") + 4)
        if end < 4:  # noqa: PLR2004  neither was found: 1 and 3
            end = 0
        self._rest = data[end:]
        return data[:end]
