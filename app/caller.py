"""The caller's side of a request: its body, and whether it is still there."""

from __future__ import annotations

import asyncio
from types import TracebackType

from starlette.types import Receive, Scope

from app.errors import BodyTooLargeError, CallerGoneError


async def read_body(scope: Scope, receive: Receive, max_bytes: int) -> bytes:
    """The request's body.

    Raises:
        BodyTooLargeError: it says or turns out to be longer than `max_bytes`.
        CallerGoneError: the caller hung up.
    """
    length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if int(length) > max_bytes:  # the server has checked that it is a number
        raise BodyTooLargeError(f"The request's body is longer than {max_bytes} bytes.")
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerGoneError
        part = message.get("body", b"")
        size += len(part)
        if size > max_bytes:
            raise BodyTooLargeError(f"The request's body is longer than {max_bytes} bytes.")
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


class Caller:
    """Cancels what runs inside when the caller hangs up, which then ends in `CallerGoneError`."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._gone = False

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request runs in a task")
        self._task = task
        self._watch = asyncio.create_task(self._wait())

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._watch.cancel()
        if not self._gone:
            return
        if kind is None:  # the cancellation comes with the next wait: take it here
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                kind = asyncio.CancelledError
        if kind is asyncio.CancelledError:
            self._task.uncancel()
        raise CallerGoneError from None

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._task.cancel()
