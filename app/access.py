"""The outermost layer of a request: its id, its count among those in flight, its log line, and an answer even when the app fails."""

from __future__ import annotations

import asyncio
import itertools
import re
import secrets
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import log
from app.drain import Drain
from app.errors import TOO_MANY, CallerGoneError, GatewayError, UnavailableError
from app.limits import NANOUSD
from app.meter import Meter
from app.reservation import NONE

if TYPE_CHECKING:
    from app.usage import Usage

CALLER_GONE = 499
"""Status in the log, after nginx's habit, of a request whose caller hung up before it was answered."""
_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_LETTERS = str.maketrans("0123456789", "jlmnpqrtuv")
_PROCESS, _NUMBERS = f"req_{secrets.token_hex(12).translate(_LETTERS)}", itertools.count()
"""A request's id: random by process, then counted, as random bytes for each would cost a system call; with few digits in a row, so that
the log does not take it for somebody's number."""
_API = "/v1/"
_OWN = "own"
_THROTTLED = {"rate_limit": "rate_limit", "quota": "quota", "spend_limit": "spend_limit"}
"""The 429s of OpenAI that are counted, by fault."""
_PROBES = frozenset({"/healthz", "/readyz"})


class Entry:
    """What is known of a request; it becomes one log line."""

    __slots__ = ("attempts", "cache", "client", "cost_nanousd", "ended", "error", "fault", "feature", "first_byte", "model", "request_id",
                 "saved_nanousd", "started", "status", "upstream_id", "usage")  # fmt: skip

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.started = time.perf_counter()
        self.ended: float | None = None
        self.first_byte: float | None = None
        self.status = 0
        self.client: str | None = None
        self.model: str | None = None
        self.cache: str | None = None
        self.error: str | None = None
        self.upstream_id: str | None = None
        self.usage: Usage | None = None
        self.feature: str | None = None
        self.attempts = 0
        self.fault: str | None = None
        """What went wrong with OpenAI last, even if a retry or another model made it good."""
        self.cost_nanousd = 0
        self.saved_nanousd = 0

    @property
    def retries(self) -> int:
        """Calls of OpenAI beyond the first."""
        return max(0, self.attempts - 1)

    def write(self, method: str, path: str) -> None:
        ended, usage = self.ended or time.perf_counter(), self.usage
        fields = {
            "request_id": self.request_id,
            "method": method,
            "path": path,
            "client": self.client,
            "model": self.model,
            "status": self.status,
            "error": self.error,
            "duration_ms": round((ended - self.started) * 1000, 1),
            "first_byte_ms": round((self.first_byte - self.started) * 1000, 1) if self.first_byte else None,
            "cache": self.cache,
            "prompt_tokens": usage.prompt_tokens if usage else None,
            "completion_tokens": usage.completion_tokens if usage else None,
            "cached_tokens": usage.cached_tokens or None if usage else None,
            "cost_usd": self.cost_nanousd / NANOUSD or None,
            "saved_usd": self.saved_nanousd / NANOUSD or None,
            "feature": self.feature if self.feature != NONE else None,
            "attempts": self.attempts if self.attempts > 1 else None,
            "fault": self.fault,
            "upstream_request_id": self.upstream_id,
        }
        log.write("info", "request", fields)


class Access:
    """The application as the server calls it; later layers find the request's `Entry` at `scope["entry"]`.

    A POST to one of `posts`, by path, goes straight there, past the router and its middleware; all else goes to `app`.
    """

    def __init__(self, app: ASGIApp, posts: Mapping[str, ASGIApp], drain: Drain, meter: Meter) -> None:
        self._app = app
        self._posts = posts
        self._drain = drain
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        entry = scope["entry"] = Entry(_request_id(scope))

        async def tagged(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry.status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", entry.request_id.encode())]
                if self._drain.draining:
                    message["headers"].append((b"connection", b"close"))
            elif not message.get("more_body", False):
                entry.ended = time.perf_counter()
            await send(message)

        self._drain.enter()
        try:
            await self._answer(scope, receive, tagged)
        finally:
            self._drain.leave()
            if scope["path"] not in _PROBES:
                entry.write(scope["method"], scope["path"])
            if scope["path"].startswith(_API):
                self._meter.record(entry)
                if kind := _THROTTLED.get(entry.fault or "") or (_OWN if entry.status == TOO_MANY else None):
                    self._meter.throttled(kind)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app; whatever comes out of it, the caller gets an answer if there is still a caller and none was begun."""
        entry: Entry = scope["entry"]
        app = self._posts.get(scope["path"], self._app) if scope["method"] == "POST" else self._app
        try:
            await app(scope, receive, send)
        except GatewayError as error:
            entry.error = error.code
            if not entry.status:
                await error.response()(scope, receive, send)
        except CallerGoneError:
            entry.status = entry.status or CALLER_GONE
            entry.error = "caller_gone"
        except asyncio.CancelledError:
            entry.error = entry.error or "shutdown"
            if not entry.status:
                await UnavailableError("The gateway is shutting down; send the request again.").response()(scope, receive, send)
            raise
        except Exception as failure:  # noqa: BLE001  the last resort: an answer in OpenAI's shape, and a trace in the log
            log.error("crash", request_id=entry.request_id, **log.where(failure))
            entry.error = "internal_error"
            if not entry.status:
                await GatewayError("The gateway failed to handle this request; its log says why.").response()(scope, receive, send)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            return str(value, "ascii")
    return f"{_PROCESS}{next(_NUMBERS):08x}"
