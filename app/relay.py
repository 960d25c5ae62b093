"""The way of a checked request: the cache, then OpenAI, and its bytes to the caller as they arrive."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, NamedTuple

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.access import Entry
from app.cache import MAX_BYTES, Cache, cache_key
from app.caller import Caller
from app.errors import DeadlineError, GatewayError, UnavailableError, UpstreamError
from app.stream import DONE, Events, EventStream
from app.upstream import Answer, Upstream
from app.usage import TAIL_BYTES, find_usage


class Job(NamedTuple):
    """A request that was checked and may go out."""

    client: str
    path: str
    request: dict[str, Any]
    body: bytes
    deadline: float
    keep: bool
    """Whether the answer may come from the cache and go into it."""

    @property
    def stream(self) -> bool:
        return self.request.get("stream") is True


class Exchange(NamedTuple):
    """The caller's side, as ASGI gives it, and the request's log entry."""

    entry: Entry
    scope: Scope
    receive: Receive
    send: Send

    async def respond(self, body: bytes, headers: dict[str, str], media_type: str = "application/json") -> None:
        if self.entry.cache:
            headers["x-cache"] = self.entry.cache
        await Response(body, headers=headers, media_type=media_type)(self.scope, self.receive, self.send)


class Relay:
    """Answers jobs. An answer is kept only if it is complete, and after the caller has all of it."""

    def __init__(self, upstream: Upstream, cache: Cache | None, ping_s: float) -> None:
        self._upstream = upstream
        self._cache = cache
        self._ping_s = ping_s

    async def answer(self, job: Job, exchange: Exchange) -> None:
        if not self._cache or not job.keep:
            await self._fetch(job, exchange)
            return
        key = cache_key(job.client, job.path, job.request)
        kept = await self._cache.get(key)
        exchange.entry.cache = "hit" if kept else "miss"
        if kept:
            await self._replay(job, exchange, kept)
        elif body := await self._fetch(job, exchange):
            await self._cache.put(key, body)

    async def _replay(self, job: Job, exchange: Exchange, kept: bytes) -> None:
        exchange.entry.usage = find_usage(kept[-TAIL_BYTES:])
        if not job.stream:
            await exchange.respond(kept, {})
            return
        async with EventStream(exchange.send, self._ping_s, exchange.entry) as out:
            out.headers = [(b"x-cache", b"hit")]
            await out.end(kept)

    async def _fetch(self, job: Job, exchange: Exchange) -> bytes | None:
        """Relay OpenAI's answer, and return it if it may be kept."""
        return await (self._stream if job.stream else self._plain)(job, exchange)

    async def _plain(self, job: Job, exchange: Exchange) -> bytes:
        try:
            async with Caller(exchange.receive), asyncio.timeout_at(job.deadline):
                answer = await self._call(job, exchange.entry)
                try:
                    body = await answer.read()
                finally:
                    answer.close()
        except TimeoutError:
            raise _late() from None
        exchange.entry.usage = find_usage(body[-TAIL_BYTES:])
        await exchange.respond(body, answer.headers(), answer.content_type)
        return body

    async def _stream(self, job: Job, exchange: Exchange) -> bytes | None:
        entry = exchange.entry
        async with EventStream(exchange.send, self._ping_s, entry) as out:
            try:
                async with Caller(exchange.receive), asyncio.timeout_at(job.deadline):
                    answer = await self._call(job, entry)
                    try:
                        out.headers = _raw(answer.headers() | ({"x-cache": entry.cache} if entry.cache else {}))
                        kept = await _pass_on(answer, out, entry)
                    finally:
                        answer.close()
            except TimeoutError:
                error: GatewayError = _late()
            except GatewayError as failure:
                error = failure
            except asyncio.CancelledError:
                if out.started:
                    await out.fail(UnavailableError("The gateway is shutting down; send the request again.", code="shutdown"))
                raise
            else:
                await out.end()
                return kept
            if not out.started:
                raise error
            entry.error = error.code
            await out.fail(error)
            return None

    async def _call(self, job: Job, entry: Entry) -> Answer:
        answer = await self._upstream.post(job.path, job.body, entry.request_id)
        entry.upstream_id = answer.request_id
        if answer.status != HTTPStatus.OK:
            try:
                raise await answer.error()
            finally:
                answer.close()
        return answer


async def _pass_on(answer: Answer, out: EventStream, entry: Entry) -> bytes | None:
    """Pass events on until OpenAI is done.

    Raises:
        UpstreamError: the stream ended before its last event.
    """
    events = Events()
    parts: list[bytes] | None = []
    size = 0
    tail = b""
    while chunk := await answer.chunk():
        if whole := events.feed(chunk):
            await out.write(whole)
            tail = whole if len(whole) >= TAIL_BYTES else tail[-TAIL_BYTES:] + whole
            size += len(whole)
            if parts is not None:
                parts.append(whole)
                if size > MAX_BYTES:
                    parts = None
    entry.usage = find_usage(tail[-TAIL_BYTES:])
    if DONE not in tail[-64:]:
        raise UpstreamError("OpenAI ended the stream before it was complete.", code="upstream_cut")
    return b"".join(parts) if parts is not None else None


def _raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


def _late() -> DeadlineError:
    return DeadlineError("The answer was not complete within the gateway's time limit for a request.")
