"""OpenAI's side in these tests: a server that does what each test tells it, and keeps what it was sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from aiohttp import web

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]

MODEL = "gpt-5-mini"
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
RATE_LIMITS = {"x-ratelimit-remaining-requests": "59", "openai-processing-ms": "12", "x-request-id": "req_of_openai"}
AT_ONCE = {"retry-after-ms": "0"}
"""Header of a failure after which OpenAI may be asked again without a pause."""


class Received(NamedTuple):
    headers: dict[str, str]
    body: bytes


def completion(text: str) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    answer = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": MODEL, "choices": [choice], "usage": USAGE}
    return json.dumps(answer, indent=1).encode()


def event(delta: dict[str, Any] | None, **members: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": None}]
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": choices, **members}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


WORDS = [event({"role": "assistant", "content": ""}), *(event({"content": word}) for word in ("Hello", " dear", " world"))]
DONE = b"data: [DONE]\n\n"
ENDING = event(None, usage=USAGE) + DONE
"""What follows the words where usage was asked for, as the gateway always does."""
TEXT = "Hello dear world"


def answers(text: str = TEXT, status: int = 200) -> Behaviour:
    """Answer at once."""

    async def behave(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=completion(text), status=status, content_type="application/json", headers=RATE_LIMITS)

    return behave


def fails(status: int, body: bytes, content_type: str = "application/json", **headers: str) -> Behaviour:
    async def behave(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, status=status, content_type=content_type, headers=RATE_LIMITS | headers)

    return behave


def streams(*steps: bytes | asyncio.Event | None) -> Behaviour:
    """Write each piece; wait for each event; None cuts the connection."""

    async def behave(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream", **RATE_LIMITS})
        await response.prepare(request)
        for step in steps:
            if step is None:
                assert request.transport is not None
                request.transport.close()
                break
            await (step.wait() if isinstance(step, asyncio.Event) else response.write(step))
        return response

    return behave


def waits(until: asyncio.Event, then: Behaviour, gone: asyncio.Event | None = None) -> Behaviour:
    """Answer nothing until told to; `gone` is set if the connection is closed before that."""

    async def behave(request: web.Request) -> web.StreamResponse:
        try:
            await until.wait()
        except asyncio.CancelledError:
            if gone:
                gone.set()
            raise
        return await then(request)

    return behave


def wants_key(key: str) -> Behaviour:
    """Refuse every other key, as OpenAI does."""
    body = b'{"error": {"message": "Incorrect API key provided: sk-o**ld.", "type": "invalid_request_error", "code": "invalid_api_key"}}'

    async def behave(request: web.Request) -> web.StreamResponse:
        right = request.headers["authorization"] == f"Bearer {key}"
        return await (answers() if right else fails(401, body))(request)

    return behave


class OpenAIStandIn:
    """Does the next thing it was told, or else answers, streamed if asked so."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.next: list[Behaviour] = []
        self.always: Behaviour | None = None
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/v1/chat/completions", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.received.append(Received({name.lower(): value for name, value in request.headers.items()}, body))
        if self.next:
            return await self.next.pop(0)(request)
        if self.always:
            return await self.always(request)
        asked = json.loads(body)
        if not asked.get("stream"):
            return await answers()(request)
        counted = (asked.get("stream_options") or {}).get("include_usage")
        return await streams(*WORDS, ENDING if counted else DONE)(request)
