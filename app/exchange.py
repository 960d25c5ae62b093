"""The way of an answer to the caller: in one piece, or as a stream while it arrives."""

from __future__ import annotations

import asyncio
import contextlib
from typing import NamedTuple

from starlette.types import Receive, Send

from app.access import Entry
from app.caller import Caller
from app.errors import DeadlineError, GatewayError, UnavailableError
from app.fetch import Fetch
from app.flights import Flight
from app.job import Job
from app.kind import hide_usage
from app.limits import NANOUSD
from app.stream import EventStream

Headers = dict[str, str]


class Exchange(NamedTuple):
    """The caller's side, as ASGI gives it, and the request's log entry."""

    entry: Entry
    receive: Receive
    send: Send
    ping_s: float

    async def whole(self, body: bytes, headers: Headers, media_type: str = "application/json") -> None:
        """Answer with a body that is there."""
        raw = [(b"content-length", b"%d" % len(body)), (b"content-type", media_type.encode("latin-1")), *_raw(headers)]
        await self.send({"type": "http.response.start", "status": 200, "headers": raw})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})

    async def events(self, job: Job, kept: bytes, headers: Headers) -> None:
        """Answer with a stream that is there."""
        async with EventStream(self.send, self.ping_s, self.entry) as out:
            out.headers = _raw(headers)
            await out.end(hide_usage(kept) if job.hides_usage else kept)

    async def plain(self, job: Job, flight: Flight[Fetch], headers: Headers) -> None:
        """Answer when all of it has come.

        Raises:
            GatewayError: no model answers in time, and nothing was sent yet.
        """
        try:
            async with Caller(self.receive, job.deadline), contextlib.aclosing(flight.read()) as chunks:
                parts = [chunk async for chunk in chunks]
        except TimeoutError:
            raise _late() from None
        fetch = flight.source
        if fetch.cost_nanousd and headers.get("x-cache") != "hit":  # who joined the call pays nothing
            headers["x-gateway-cost-usd"] = f"{fetch.cost_nanousd / NANOUSD:.9f}"
        await self.whole(b"".join(parts), fetch.headers | headers, fetch.content_type)

    async def stream(self, job: Job, flight: Flight[Fetch], headers: Headers) -> None:
        """Pass events on as they come.

        Raises:
            GatewayError: as above; once the stream has begun, its last event says what went wrong.
        """
        async with EventStream(self.send, self.ping_s, self.entry) as out:
            try:
                async with Caller(self.receive, job.deadline), contextlib.aclosing(flight.read()) as chunks:
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
            self.entry.error = error.code
            await out.fail(error)


def _raw(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


def _late() -> DeadlineError:
    return DeadlineError("The answer was not complete within the gateway's time limit for a request.")
