"""Single flight: equal requests that are under way at the same time share one answer, as it arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Generic, Protocol, TypeVar

from app.errors import UnavailableError

KEPT_BYTES = 1_048_576
"""Longest answer, or beginning of one, that a request can still join; and how far a reader may stay behind the fastest."""


class Source(Protocol):
    """Where an answer comes from."""

    async def chunk(self) -> bytes:
        """What comes next; empty at the end. It may be cancelled and called again, and loses nothing by that."""

    async def close(self) -> None:
        """Called once: at the end, after a failure, or when nobody listens any more."""


From = TypeVar("From", bound=Source)


class Flight(Generic[From]):
    """One answer, for any number of readers.

    No reader is more than the others: whoever first needs a chunk that is not there fetches it, for all. So the fastest sets the pace, a
    reader that hangs up stops nobody else, and a single reader costs no task and no copy.
    """

    def __init__(self, source: From, forget: Callable[[], None] | None = None) -> None:
        self.source = source
        self.readers = 0
        """Those that read now."""
        self.ended = False
        """Whether the source has come to its end, or failed."""
        self._forget = forget
        self._chunks: list[bytes] = []
        self._first = 0  # number of the first chunk that is still there
        self._size = 0
        self._error: Exception | None = None
        self._fetching = False
        self._closed = False
        self._waiting: list[asyncio.Future[None]] = []

    async def read(self) -> AsyncGenerator[bytes, None]:
        """The answer from its beginning. Iterate within `contextlib.aclosing`, so that a reader that breaks off is known to be gone.

        Raises:
            Exception: the source's own, to every reader.
            UnavailableError: this reader was too slow for the others, or began only after all of them were gone.
        """
        self.readers += 1
        place = 0
        try:
            while True:
                if place < self._first:
                    raise UnavailableError("The answer was read too slowly.", code="slow_reader")
                if (there := self._first + len(self._chunks)) > place:
                    ready = self._chunks[place - self._first :]
                    place = there
                    yield ready[0] if len(ready) == 1 else b"".join(ready)
                elif self.ended:
                    if self._error:
                        raise self._error
                    return
                elif self._fetching:
                    await self._wait()
                else:
                    await self._fetch()
        finally:
            self.readers -= 1
            if not self.readers:
                await self._close()

    async def _fetch(self) -> None:
        self._fetching = True
        try:
            chunk = await self.source.chunk()
        except Exception as failure:  # noqa: BLE001  whatever it is, every reader is told
            self._error = failure
            self.ended = True
        else:
            self.ended = not chunk
            if chunk:
                self._chunks.append(chunk)
                self._size += len(chunk)
                if self._size > KEPT_BYTES:
                    self._trim()
        finally:  # cancelled as well: then the next reader fetches
            self._fetching = False
            waiting, self._waiting = self._waiting, []
            for future in waiting:
                if not future.done():
                    future.set_result(None)
        if self.ended:
            await self._close()

    async def _wait(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def _trim(self) -> None:
        """Let the beginning go: from now on nobody can join."""
        self._leave()
        while self._size > KEPT_BYTES and len(self._chunks) > 1:
            self._size -= len(self._chunks.pop(0))
            self._first += 1

    def _leave(self) -> None:
        forget, self._forget = self._forget, None
        if forget:
            forget()

    async def _close(self) -> None:
        self._leave()
        if not self._closed:
            self._closed = True
            if not self.ended:
                self.ended = True
                self._error = UnavailableError("The answer was given up; send the request again.", code="abandoned")
            await self.source.close()


class Flights(Generic[From]):
    """The answers under way in this process, by the key that makes two requests equal."""

    def __init__(self) -> None:
        self._flights: dict[str, Flight[From]] = {}

    def join(self, key: str, source: Callable[[], From]) -> tuple[Flight[From], bool]:
        """The flight of this key, and whether it begins with this call: then the source is made for it. Read it at once."""
        flight = self._flights.get(key)
        if flight is not None:
            return flight, False
        flight = self._flights[key] = Flight(source(), lambda: self._forget(key, flight))
        return flight, True

    def get(self, key: str) -> Flight[From] | None:
        return self._flights.get(key)

    def __contains__(self, key: str) -> bool:
        return key in self._flights

    def __len__(self) -> int:
        return len(self._flights)

    def _forget(self, key: str, flight: Flight[From] | None) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
