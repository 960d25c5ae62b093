"""A stand-in for OpenAI's API: answers, errors, headers and streams as OpenAI sends them, and faults on request.

`sandbox/openai_answers.py` makes the answers. `POST /faults` makes coming requests go wrong, `GET /requests` lists what arrived.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
import uuid
from collections import deque
from collections.abc import Iterator
from typing import Any, Literal

import toktok
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sandbox.openai_answers import ENDPOINTS, Answer, answer, model, models
from sandbox.openai_shapes import ApiError

Kind = Literal[
    "rate_limit", "insufficient_quota", "organization_spend_limit", "project_spend_limit", "server_error", "overloaded",
    "hang", "slow", "silence", "cut", "bad_json",
]  # fmt: skip
REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE = 10_000, 2_000_000


class Fault(BaseModel):
    """What goes wrong with the next requests that match."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    times: int | None = Field(1, ge=1, description="How many requests it meets (null: all, until cleared).")
    path: str | None = Field(None, description="Only requests to this path, such as /v1/embeddings.")
    model: str | None = Field(None, description="Only requests for this model.")
    delay_s: float = Field(1, ge=0, description="slow: time before the first byte; silence: time between two chunks.")
    after_chunks: int = Field(1, ge=0, description="silence, cut: how many chunks of the stream come before.")
    retry_after_s: int = Field(1, ge=0, description="rate_limit: the time that the answer asks to wait.")


class OpenAIServer:
    """The server. `keys` are the accepted API keys; the set may change while it runs.

    A request that names another organization or project than the configured ones is refused; one that names none is not.
    """

    def __init__(self, keys: set[str], *, organization: str = "", project: str = "", token_delay_s: float = 0.01) -> None:
        self.keys = keys
        self.organization = organization
        self.project = project
        self.token_delay_s = token_delay_s
        self.faults: list[Fault] = []
        self.requests: deque[dict[str, Any]] = deque(maxlen=1000)
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_route("*", "/faults", self._control_faults)
        app.router.add_route("*", "/requests", self._control_requests)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        bound = self._runner.addresses[0]
        self.url = f"http://{bound[0]}:{bound[1]}/v1"
        await asyncio.to_thread(toktok.batch_count, [""], "o200k_base")  # loads its table: half a second, once

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    def add_fault(self, kind: Kind, **options: Any) -> None:
        self.faults.append(Fault(kind=kind, **options))

    def clear_faults(self) -> None:
        self.faults.clear()

    def clear_requests(self) -> None:
        self.requests.clear()

    async def _control_faults(self, request: web.Request) -> web.Response:
        if request.method == "DELETE":
            self.clear_faults()
        elif request.method == "POST":
            try:
                self.faults.append(Fault.model_validate_json(await request.read()))
            except ValidationError as error:
                problems = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
                return web.json_response({"problems": problems}, status=400)
        return web.json_response([fault.model_dump() for fault in self.faults])

    async def _control_requests(self, request: web.Request) -> web.Response:
        if request.method == "DELETE":
            self.clear_requests()
        return web.json_response(list(self.requests))

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        began = time.monotonic()
        try:
            body = json.loads(await request.read())
        except ValueError:
            body = None
        self._note(request, body)
        fault = None
        try:
            self._authenticate(request)
            fault = self._take_fault(request.path, body.get("model") if isinstance(body, dict) else None)
            if fault:
                await _go_wrong(fault)
            reply = _route(request, body)
        except ApiError as error:
            return web.json_response(error.body, status=error.status, headers=self._headers(began) | error.headers)
        if fault and fault.kind == "bad_json":
            return web.Response(body=b'{"id": "chatcmpl-', content_type="application/json", headers=self._headers(began))
        if isinstance(reply, Iterator):
            return await self._stream(request, reply, fault, self._headers(began))
        response = web.json_response(reply, headers=self._headers(began))
        if fault and fault.kind == "cut":
            await _send_half(request, response)
        return response

    def _note(self, request: web.Request, body: Any) -> None:
        key = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.requests.append(
            {
                "method": request.method,
                "path": request.path,
                "model": body.get("model") if isinstance(body, dict) else None,
                "organization": request.headers.get("OpenAI-Organization"),
                "project": request.headers.get("OpenAI-Project"),
                "key_sha256": hashlib.sha256(key.encode()).hexdigest(),
                "body": body,
            }
        )

    def _authenticate(self, request: web.Request) -> None:
        key = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not key:
            raise ApiError(
                401, "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth."
            )
        if key not in self.keys:
            masked = key[:8] + "*" * max(len(key) - 12, 4) + key[-4:]  # OpenAI's own error repeats parts of the key too
            message = f"Incorrect API key provided: {masked}. You can find your API key at https://platform.openai.com/account/api-keys."
            raise ApiError(401, message, "invalid_api_key")
        for header, accepted in (("Organization", self.organization), ("Project", self.project)):
            named, noun = request.headers.get(f"OpenAI-{header}"), header.lower()
            if accepted and named and named != accepted:
                raise ApiError(401, f"OpenAI-{header} header should match {noun} for API key", f"mismatched_{noun}")

    def _take_fault(self, path: str, name: object) -> Fault | None:
        for fault in self.faults:
            if fault.path in (None, path) and fault.model in (None, name):
                if fault.times is not None:
                    fault.times -= 1
                    if not fault.times:
                        self.faults.remove(fault)
                return fault
        return None

    def _headers(self, began: float) -> dict[str, str]:
        return {
            "x-request-id": f"req_{uuid.uuid4().hex}",
            "openai-organization": self.organization or "sandbox",
            "openai-processing-ms": str(int((time.monotonic() - began) * 1000)),
            "openai-version": "2020-10-01",
            "x-ratelimit-limit-requests": str(REQUESTS_PER_MINUTE),
            "x-ratelimit-limit-tokens": str(TOKENS_PER_MINUTE),
            "x-ratelimit-remaining-requests": str(REQUESTS_PER_MINUTE - 1),
            "x-ratelimit-remaining-tokens": str(TOKENS_PER_MINUTE - 1000),
            "x-ratelimit-reset-requests": "6ms",
            "x-ratelimit-reset-tokens": "30ms",
        }

    async def _stream(
        self, request: web.Request, events: Iterator[str], fault: Fault | None, headers: dict[str, str]
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers=headers | {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"})
        await response.prepare(request)
        for number, event in enumerate(events):
            if fault and number == fault.after_chunks and fault.kind in {"cut", "silence"}:
                if fault.kind == "cut":
                    _cut(request)
                    return response
                await asyncio.sleep(fault.delay_s)
            await response.write(event.encode())
            await asyncio.sleep(self.token_delay_s)
        await response.write_eof()
        return response


def _route(request: web.Request, body: Any) -> Answer:
    prefix, _, path = request.path.lstrip("/").partition("/")
    if prefix == "v1" and request.method == "GET" and path == "models":
        return models()
    if prefix == "v1" and request.method == "GET" and path.startswith("models/"):
        return model(path.removeprefix("models/"))
    if prefix == "v1" and path in ENDPOINTS:
        if request.method == "POST":
            return answer(path, body)
        hint = "(HINT: Perhaps you meant to use a different HTTP method?)"
        raise ApiError(405, f"Not allowed to {request.method} on {request.path}. {hint}", "method_not_supported")
    raise ApiError(404, f"Invalid URL ({request.method} {request.path})")


async def _go_wrong(fault: Fault) -> None:
    """Raise the fault's error, or wait as it says."""
    quota = "You exceeded your current quota, please check your plan and billing details."
    match fault.kind:
        case "rate_limit":
            wait = fault.retry_after_s
            limit = f"Limit {REQUESTS_PER_MINUTE}, Used {REQUESTS_PER_MINUTE}, Requested 1. Please try again in {wait}s."
            headers = {"retry-after": str(wait), "retry-after-ms": str(wait * 1000), "x-ratelimit-remaining-requests": "0"}
            message = f"Rate limit reached on requests per min (RPM): {limit}"
            raise ApiError(429, message, "rate_limit_exceeded", kind="requests", headers=headers)
        case "insufficient_quota":
            raise ApiError(429, quota, "insufficient_quota", kind="insufficient_quota")
        case "organization_spend_limit" | "project_spend_limit":
            raise ApiError(429, quota, f"{fault.kind}_exceeded", kind="insufficient_quota")
        case "server_error":
            raise ApiError(500, "The server had an error while processing your request. Sorry about that!", kind="server_error")
        case "overloaded":
            raise ApiError(503, "The engine is currently overloaded, please try again later.", kind="server_error")
        case "hang":
            await asyncio.Event().wait()
        case "slow":
            await asyncio.sleep(fault.delay_s)


async def _send_half(request: web.Request, response: web.Response) -> None:
    whole = response.body
    half = web.StreamResponse(headers=response.headers)
    if isinstance(whole, bytes):
        half.content_length = len(whole)
        await half.prepare(request)
        await half.write(whole[: len(whole) // 2])
    _cut(request)


def _cut(request: web.Request) -> None:
    if request.transport:
        request.transport.abort()
