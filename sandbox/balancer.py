"""Plays the Application Load Balancer with the attributes that were deployed."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from sandbox.balancer_settings import BalancerSettings
from sandbox.errors import SandboxError

HOP_BY_HOP = {"connection", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
              "transfer-encoding", "upgrade"}  # fmt: skip
RECHECK_FRESH_S = 1


@dataclass
class Target:
    url: str
    state: str = "initial"
    reason: str = "Elb.RegistrationInProgress"
    running: set[asyncio.Task[Any]] = field(default_factory=set)
    was_healthy: bool = False
    streak: int = 0  # health checks in a row that contradict the state
    fresh_until: float = 0
    watch: asyncio.Task[None] | None = None


class Balancer:
    def __init__(self, load_balancer: BalancerSettings) -> None:
        self.settings = load_balancer
        self.url = ""
        self.targets: list[Target] = []
        self._turn = 0
        self._changed = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> None:
        """Listen.

        Raises:
            SandboxError: the port is in use.
        """
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=self.settings.idle_timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            timeout=aiohttp.ClientTimeout(total=None, connect=10),
        )
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._forward)
        self._runner = web.AppRunner(
            app, handler_cancellation=True, auto_decompress=False, access_log=None, shutdown_timeout=0.1, keepalive_timeout=3600
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError:
            await self.stop()
            raise SandboxError(f"Port {port} is in use: choose another one") from None
        self.url = "http://{}:{}".format(*self._runner.addresses[0][:2])

    async def stop(self) -> None:
        for target in self.targets:
            _cancel(target)
        if self._runner:
            await self._runner.cleanup()
        if self._session:
            await self._session.close()

    async def register(self, url: str) -> None:
        if any(target.url == url for target in self.targets):
            return
        target = Target(url.rstrip("/"))
        target.fresh_until = time.monotonic() + self.settings.unhealthy_threshold * self.settings.health_interval_s
        self.targets.append(target)
        target.watch = asyncio.create_task(self._watch(target))

    async def deregister(self, url: str, at_most_s: float | None = None) -> None:
        """Send nothing new to a target, and return when its requests have ended or the deregistration delay is over."""
        for target in [target for target in self.targets if target.url == url and target.state != "draining"]:
            self._set(target, "draining", "Target.DeregistrationInProgress")
            delay_s = self.settings.deregistration_delay_s
            if target.running:
                await asyncio.wait(set(target.running), timeout=delay_s if at_most_s is None else min(delay_s, at_most_s))
            self.targets.remove(target)
            _cancel(target)
            self._changed.set()

    async def wait_healthy(self, count: int, timeout_s: float) -> None:
        """Wait until so many targets are healthy.

        Raises:
            SandboxError: they are not in time; the message says what each target lacks.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while sum(target.state == "healthy" for target in self.targets) < count:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            states = "; ".join(f"{target.url} is {target.state} ({target.reason})" for target in self.targets) or "there are none"
            raise SandboxError(f"{count} healthy targets were expected within {timeout_s:g} s: {states}") from None

    async def _watch(self, target: Target) -> None:
        while True:
            problem = await self._check(target)
            good, fresh = not problem, time.monotonic() < target.fresh_until
            target.streak = 0 if good == (target.state == "healthy") else target.streak + 1
            needed = self.settings.healthy_threshold if good else self.settings.unhealthy_threshold
            if (good or not fresh) if target.state == "initial" else target.streak >= needed:
                self._set(target, "healthy" if good else "unhealthy", problem)
            if problem and target.state != "draining":
                target.reason = problem
            interval_s = self.settings.health_interval_s
            await asyncio.sleep(min(interval_s, RECHECK_FRESH_S) if target.state == "initial" else interval_s)

    async def _check(self, target: Target) -> str:
        """What is wrong with a target, or nothing."""
        if not self._session:
            return "Elb.InternalError"
        try:
            async with (
                asyncio.timeout(self.settings.health_timeout_s),
                self._session.get(target.url + self.settings.health_path, headers={"User-Agent": "ELB-HealthChecker/2.0"}) as answer,
            ):
                if _matches(self.settings.success_codes, answer.status):
                    return ""
                return f"Target.ResponseCodeMismatch: {answer.status}"
        except TimeoutError:
            return "Target.Timeout"
        except aiohttp.ClientError:
            return "Target.FailedHealthChecks"

    def _set(self, target: Target, state: str, reason: str) -> None:
        if target.state != "draining":
            target.state, target.reason, target.streak = state, reason, 0
            target.was_healthy |= state == "healthy"
            self._changed.set()

    def _choose(self) -> Target | None:
        registered = [target for target in self.targets if target.state != "draining"]
        usable = [target for target in registered if target.state == "healthy"]
        if not usable and all(target.state == "unhealthy" for target in registered):
            usable = registered  # fail open: when all are unhealthy, all are tried
        if not usable:
            return None
        self._turn += 1
        turns = usable[self._turn % len(usable) :] + usable[: self._turn % len(usable)]
        return min(turns, key=lambda target: len(target.running)) if self.settings.algorithm == "least_outstanding_requests" else turns[0]

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        target, task = self._choose(), asyncio.current_task()
        if not target or not task or not self._session:
            return _refuse(503, "Service Temporarily Unavailable")
        target.running.add(task)
        try:
            return await self._relay(request, target, self._session)
        finally:
            target.running.discard(task)

    async def _relay(self, request: web.Request, target: Target, session: aiohttp.ClientSession) -> web.StreamResponse:
        idle_s, clock = self.settings.idle_timeout_s, asyncio.get_running_loop().time
        url = URL(target.url + request.raw_path, encoded=True)
        response: web.StreamResponse | None = None
        try:
            async with asyncio.timeout(idle_s) as idle:

                async def upload() -> AsyncIterator[bytes]:
                    while chunk := await request.content.readany():
                        idle.reschedule(clock() + idle_s)
                        yield chunk

                data = upload() if request.body_exists else None
                async with session.request(
                    request.method, url, headers=self._request_headers(request), data=data, allow_redirects=False
                ) as answer:
                    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=_end_to_end(answer.headers))
                    await response.prepare(request)
                    while chunk := await answer.content.readany():
                        await response.write(chunk)
                        idle.reschedule(clock() + idle_s)
                    await response.write_eof()
                    return response
        except TimeoutError:
            return _cut(request, response) if response else _refuse(504, "Gateway Time-out")
        except aiohttp.ClientError:
            return _cut(request, response) if response else _refuse(502, "Bad Gateway")

    def _request_headers(self, request: web.Request) -> CIMultiDict[str]:
        headers = _end_to_end(request.headers)
        if self.settings.drop_invalid_headers:
            for name in {name for name in headers if not re.fullmatch(r"[-A-Za-z0-9]+", name)}:
                del headers[name]
        peers = [*headers.getall("X-Forwarded-For", []), request.remote or "127.0.0.1"]
        trace = f"1-{int(time.time()):x}-{uuid.uuid4().hex[:24]}"
        given = headers.get("X-Amzn-Trace-Id")
        headers["X-Forwarded-For"] = ", ".join(peers)
        headers["X-Forwarded-Proto"] = "http"
        headers["X-Forwarded-Port"] = self.url.rpartition(":")[2]
        headers["X-Amzn-Trace-Id"] = f"Self={trace};{given}" if given else f"Root={trace}"
        return headers


def _matches(codes: str, status: int) -> bool:
    spans = (code.partition("-") for code in codes.split(","))
    return any(int(low) <= status <= int(high or low) for low, _, high in spans)


def _end_to_end(headers: Any) -> CIMultiDict[str]:
    named = {name.strip().lower() for value in headers.getall("Connection", []) for name in value.split(",")}
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in HOP_BY_HOP | named)


def _refuse(status: int, title: str) -> web.Response:
    page = f"<html><head><title>{status} {title}</title></head><body><center><h1>{status} {title}</h1></center></body></html>"
    return web.Response(status=status, text=page, content_type="text/html", headers={"Server": "awselb/2.0"})


def _cut(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    if request.transport:
        request.transport.abort()
    return response


def _cancel(target: Target) -> None:
    for task in (target.watch, *target.running):
        if task:
            task.cancel()
