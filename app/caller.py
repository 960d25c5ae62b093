"""The caller's side of a request: its body, whether it is still there, and how long it is kept waiting."""

from __future__ import annotations

import asyncio
import math
from types import TracebackType

from starlette.types import Receive

from app.errors import BodyTooLargeError, CallerGoneError

SOON_S = 0.02
"""After how long it is watched whether the caller hangs up: what is answered before then needs no task for it."""


async def read_body(length: str | bytes, receive: Receive, max_bytes: int) -> bytes:
    """The request's body; `length` is what its header says.

    Raises:
        BodyTooLargeError: it says or turns out to be longer than `max_bytes`.
        CallerGoneError: the caller hung up.
    """
    if int(length) > max_bytes:  # the server has checked that it is a number
        raise BodyTooLargeError(f"The request's body is longer than {max_bytes} bytes.")
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerGoneError
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > max_bytes:
            raise BodyTooLargeError(f"The request's body is longer than {max_bytes} bytes.")
        parts.append(part)
        if not message.get("more_body", False):
            return part if len(parts) == 1 else b"".join(parts)


class Caller:
    """Cancels what runs inside when the caller hangs up, which then ends in `CallerGoneError`, or at a time of the loop: `TimeoutError`.

    Both are one timer for a request that is answered soon. Who reads what the caller still sends must not have it `watched`.
    """

    __slots__ = ("_deadline", "_loop", "_reason", "_receive", "_soon_s", "_task", "_timer", "_watch")

    def __init__(self, receive: Receive, deadline: float, *, watched: bool = True) -> None:
        self._receive = receive
        self._deadline = deadline
        self._soon_s = SOON_S if watched else math.inf
        self._reason: type[CallerGoneError | TimeoutError] | None = None
        self._watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._loop = asyncio.get_running_loop()
        task = asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("a request runs in a task")
        self._task = task
        self._timer = self._loop.call_at(min(self._loop.time() + self._soon_s, self._deadline), self._look)

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._timer.cancel()
        if self._watch:
            self._watch.cancel()
            self._watch = None  # it holds this object, too: what holds itself stays in memory until Python looks for it
        if self._reason is None:
            return
        if kind is not asyncio.CancelledError:  # the cancellation comes with the next wait: take it here
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                kind = asyncio.CancelledError
        if kind is asyncio.CancelledError:
            self._task.uncancel()
        raise self._reason from None

    def _look(self) -> None:
        if self._loop.time() >= self._deadline:
            self._end(TimeoutError)
        else:
            self._watch = self._loop.create_task(self._wait())
            self._timer = self._loop.call_at(self._deadline, self._end, TimeoutError)

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._end(CallerGoneError)

    def _end(self, reason: type[CallerGoneError | TimeoutError]) -> None:
        if self._reason is None:
            self._reason = reason
            self._task.cancel()
