"""The way of a job: the ledger says whether it goes out, OpenAI's bytes pass to the caller as they arrive."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any, NamedTuple

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.access import Entry
from app.batcher import Batcher
from app.caller import Caller
from app.catalog import Catalog
from app.errors import DeadlineError, GatewayError, UnavailableError
from app.fetch import Fetch
from app.flights import Flight, Flights
from app.job import Job
from app.kind import hide_usage
from app.kind_texts import Embeddings
from app.ledger import Ledger
from app.limits import NANOUSD
from app.model import Model
from app.refusal import refusal, spend_step
from app.reservation import Reservation, Verdict
from app.sender import Sender, Sent
from app.stream import EventStream
from app.upstream import Answer
from app.usage import Usage

BATCH_S = 60.0
"""Longest time that a call for joined embeddings may take."""
Headers = dict[str, str]


class Exchange(NamedTuple):
    """The caller's side, as ASGI gives it, and the request's log entry."""

    entry: Entry
    scope: Scope
    receive: Receive
    send: Send

    async def respond(self, body: bytes, headers: Headers, media_type: str = "application/json") -> None:
        await Response(body, headers=headers, media_type=media_type)(self.scope, self.receive, self.send)


class Relay:
    """Answers jobs. Equal ones that may be cached and are under way at the same time share one call, and its costs are the first one's."""

    def __init__(self, ledger: Ledger, sender: Sender, catalog: Catalog, ping_s: float, batch_ms: int = 0) -> None:
        self._ledger = ledger
        self._sender = sender
        self._catalog = catalog
        self._ping_s = ping_s
        self._flights: Flights[Fetch] = Flights()
        self._batcher = Batcher(batch_ms, self._embed)

    async def answer(self, job: Job, exchange: Exchange) -> None:
        """Answer from the cache, from a call that is under way, or by one of its own.

        Raises:
            GatewayError: it cannot be answered, and nothing was sent yet.
        """
        asked, entry = job.reservation, exchange.entry
        key = f"{asked.client} {asked.cache_digest}" if asked.keep else ""
        joins = key in self._flights
        wanted = asked.tokens, asked.cost_nanousd
        if joins:
            asked.tokens = asked.cost_nanousd = 0  # who joins a call costs nothing more
        verdict = await self._ledger.reserve(asked, job.limits)
        if joins and verdict.state == "go" and not self._joinable(key, asked):
            self._ledger.release(asked)
            job.reservation = asked = asked.again(*wanted)
            verdict = await self._ledger.reserve(asked, job.limits)
        headers = self._headers(job, verdict, entry)
        if verdict.state == "refused":
            raise refusal(verdict)
        if verdict.state == "hit":
            await self._replay(job, exchange, verdict.body, headers)
            return
        flight, leads = self._join(key, job, entry)
        respond = self._stream if job.stream else self._plain
        if leads:
            await respond(job, exchange, flight, headers)
            return
        entry.cache = headers["x-cache"] = "hit"
        try:
            await respond(job, exchange, flight, headers)
        except GatewayError as error:
            entry.error = error.code
            raise
        finally:
            self._shared(job, entry, flight.source)

    def _joinable(self, key: str, asked: Reservation) -> bool:
        """Whether the call is still under way, and was not made before the cache was invalidated."""
        flight = self._flights.get(key)
        return flight is not None and flight.source.cache_key == asked.cache_key

    def _join(self, key: str, job: Job, entry: Entry) -> tuple[Flight[Fetch], bool]:
        """The call to read from, and whether it is this job's own."""

        def fetch() -> Fetch:
            return Fetch(job, entry, self._send, self._ledger, self._catalog)

        if key and (key not in self._flights or self._joinable(key, job.reservation)):
            return self._flights.join(key, fetch)
        return Flight(fetch(), _nothing), True

    def _headers(self, job: Job, verdict: Verdict, entry: Entry) -> Headers:
        headers = verdict.headers | spend_step(verdict)
        if job.reservation.keep:
            entry.cache = headers["x-cache"] = "hit" if verdict.state == "hit" else "miss"
        return headers

    async def _replay(self, job: Job, exchange: Exchange, kept: bytes, headers: Headers) -> None:
        entry, model = exchange.entry, job.route[0][0]
        self._saved(job, entry, model, job.kind.usage(kept[-job.kind.tail_bytes :]))
        headers["x-gateway-model"] = model.name
        if not job.stream:
            await exchange.respond(kept, headers)
            return
        async with EventStream(exchange.send, self._ping_s, entry) as out:
            out.headers = _raw(headers)
            await out.end(hide_usage(kept) if job.hides_usage else kept)

    def _shared(self, job: Job, entry: Entry, fetch: Fetch) -> None:
        """Settle a request that joined another's call: it saved what that cost, unless the call failed for both."""
        if entry.error is not None:
            entry.cache = "miss"
            self._ledger.settle(job.reservation, error=True)
            return
        self._saved(job, entry, fetch.model, fetch.usage)

    def _saved(self, job: Job, entry: Entry, model: Model, usage: Usage | None) -> None:
        """Settle an answer that cost nothing, by what it would have cost."""
        entry.usage = usage
        entry.saved_nanousd = self._catalog.cost_nanousd(model, usage, job.request.get("service_tier")) if usage else 0
        self._ledger.settle(job.reservation, usage=usage, saved_nanousd=entry.saved_nanousd, hit=True)

    async def _plain(self, job: Job, exchange: Exchange, flight: Flight[Fetch], headers: Headers) -> None:
        try:
            async with Caller(exchange.receive), asyncio.timeout_at(job.deadline), contextlib.aclosing(flight.read()) as chunks:
                body = b"".join([chunk async for chunk in chunks])
        except TimeoutError:
            raise _late() from None
        fetch = flight.source
        if fetch.cost_nanousd and headers.get("x-cache") != "hit":  # who joined the call pays nothing
            headers["x-gateway-cost-usd"] = f"{fetch.cost_nanousd / NANOUSD:.9f}"
        await exchange.respond(body, fetch.headers | headers, fetch.content_type)

    async def _stream(self, job: Job, exchange: Exchange, flight: Flight[Fetch], headers: Headers) -> None:
        entry = exchange.entry
        async with EventStream(exchange.send, self._ping_s, entry) as out:
            try:
                async with Caller(exchange.receive), asyncio.timeout_at(job.deadline), contextlib.aclosing(flight.read()) as chunks:
                    async for events in chunks:
                        if not out.headers:
                            out.headers = _raw(flight.source.headers | headers)
                        shown = hide_usage(events) if job.hides_usage else events
                        if shown:
                            await out.write(shown)
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
                return
            if not out.started:
                raise error
            entry.error = error.code
            await out.fail(error)

    async def _send(self, job: Job, entry: Entry) -> Sent:
        model, _ = job.route[0]
        request = job.request | {"model": model.name}
        if job.kind.name == Embeddings.name and self._batcher.fits(request):
            return Sent(_Batched(await self._batcher.answer(request, job.prompt_tokens)), model, 1, fallback=False)
        return await self._sender.send(job.kind.path, job.route, job.deadline, entry, stream=job.stream)

    async def _embed(self, request: dict[str, Any]) -> bytes:
        """Call OpenAI for embeddings that several requests wait for."""
        model = self._catalog.resolve(request["model"], (request["model"],))
        deadline = asyncio.get_running_loop().time() + BATCH_S
        entry = Entry("batch")
        sent = await self._sender.send(Embeddings.path, [(model, json.dumps(request).encode())], deadline, entry)
        try:
            return await sent.answer.read()
        finally:
            sent.answer.close()


class _Batched(Answer):
    """A body that came with others."""

    def __init__(self, body: bytes) -> None:
        self._rest = body
        self.status, self.content_type, self.request_id = 200, "application/json", None

    def headers(self) -> Headers:
        return {}

    async def chunk(self) -> bytes:
        body, self._rest = self._rest, b""
        return body

    def close(self) -> None:
        return None


def _nothing() -> None:
    """What is to be done when a call that nobody can join is over."""


def _raw(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


def _late() -> DeadlineError:
    return DeadlineError("The answer was not complete within the gateway's time limit for a request.")
