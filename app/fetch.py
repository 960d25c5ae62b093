"""One call of OpenAI for a job: its bytes as they arrive, and at its end, however it ends, what it used into the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from app.access import Entry
from app.catalog import Catalog
from app.errors import UpstreamError
from app.job import Job
from app.ledger import MAX_ANSWER_BYTES, Ledger
from app.reservation import label
from app.sender import Sent
from app.stream import Events
from app.usage import Usage

Send = Callable[[Job, Entry], Awaitable[Sent]]


class Fetch:
    """The source of a `Flight`: whoever reads it first makes the call, and those who join read the same bytes.

    The request that began it holds the reservation, also for those who join; it is settled when the last reader has gone.
    """

    def __init__(self, job: Job, entry: Entry, send: Send, ledger: Ledger, catalog: Catalog) -> None:
        self.model = job.model
        self.headers: dict[str, str] = {}
        self.content_type = "application/json"
        self.usage: Usage | None = None
        self.cost_nanousd = 0
        self.cache_key = job.reservation.cache_key
        self._job, self._entry = job, entry
        self._send, self._ledger, self._catalog = send, ledger, catalog
        self._call: asyncio.Task[Sent] | None = None
        self._sent: Sent | None = None
        self._events = Events() if job.stream else None
        self._parts: list[bytes] | None = []
        self._size = self._count = 0
        self._tail = b""
        self._complete = False

    async def chunk(self) -> bytes:
        """The next bytes of the answer, of a stream in whole events; empty at its end. A cancelled call loses nothing.

        Raises:
            GatewayError: no model answers, or the answer breaks off.
        """
        if self._sent is None:
            await self._begin()
        answer = self._sent.answer  # type: ignore[union-attr]  # it has begun
        while chunk := await answer.chunk():
            whole = self._events.feed(chunk) if self._events else chunk
            if whole:
                self._note(whole)
                return whole
        self._end()
        return b""

    async def close(self) -> None:
        """Hang up, and settle."""
        if self._call and not self._call.done():
            self._call.cancel()
        elif self._call and self._sent is None and not self._call.cancelled() and not self._call.exception():
            self._sent = self._call.result()  # it came when nobody was waiting any more
        if self._sent:
            self._sent.answer.close()
        self._settle()

    async def _begin(self) -> None:
        """Make the call, in a task of its own where others may join: one reader that hangs up must not cancel it for them."""
        job = self._job
        if not job.reservation.keep:
            self._sent = await self._send(job, self._entry)
        else:
            if self._call is None:
                self._call = asyncio.ensure_future(self._send(job, self._entry))
            self._sent = await asyncio.shield(self._call)
        sent = self._sent
        self.headers = sent.answer.headers() | {"x-gateway-model": sent.model.name}
        if sent.fallback:
            self.headers["x-gateway-fallback"] = self.model.name
            self._parts = None  # another model's answer is not kept as this one's
            self._job.reservation.model = label(sent.model.name)
        self.model, self.content_type = sent.model, sent.answer.content_type
        self._entry.model = sent.model.name

    def _note(self, whole: bytes) -> None:
        tail_bytes = self._job.kind.tail_bytes
        self._tail = whole[-tail_bytes:] if len(whole) >= tail_bytes else self._tail[-tail_bytes:] + whole
        self._count += whole.count(b"\n\n")
        self._size += len(whole)
        if self._parts is not None:
            self._parts.append(whole)
            if self._size > MAX_ANSWER_BYTES:
                self._parts = None

    def _end(self) -> None:
        """Look at what the answer says in its end.

        Raises:
            UpstreamError: a stream ended before its last event.
        """
        kind = self._job.kind
        self.usage = kind.usage(self._tail)
        if self._job.stream:
            done = kind.ending(self._tail)
            if done is None:
                raise UpstreamError("OpenAI ended the stream before it was complete.", code="upstream_cut").with_fault("cut")
            self._complete = done
        else:
            self._complete = kind.complete(b"".join(self._parts or (self._tail,)))

    def _settle(self) -> None:
        """Say what was used; where OpenAI never came to say it, the prompt and a token for each event that came."""
        job, entry = self._job, self._entry
        if self.usage is None and self._sent is not None:
            self.usage = Usage(job.prompt_tokens, self._count)
        if self.usage is not None:
            self.cost_nanousd = self._catalog.cost_nanousd(self.model, self.usage, job.request.get("service_tier"))
        entry.usage, entry.cost_nanousd = self.usage, self.cost_nanousd
        self._ledger.settle(
            job.reservation,
            tokens=self.usage.prompt_tokens + self.usage.completion_tokens if self.usage else 0,
            cost_nanousd=self.cost_nanousd,
            usage=self.usage,
            answer=b"".join(self._parts) if self._parts and self._complete else None,
            error=not self._complete,
        )
