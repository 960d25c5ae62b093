"""The application: its parts, its routes, and what is opened before the first request and closed after the last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from functools import partial
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route

from app import chat_page, clients, log, tokens
from app.access import Access
from app.catalog import Catalog
from app.dispatch import Dispatch
from app.drain import Drain
from app.endpoint import Endpoint, Parts
from app.errors import GatewayError, UnavailableError, answer, answer_http
from app.health import Health
from app.kinds import build as build_kinds
from app.ledger import Ledger
from app.limits import Ladder, Limits
from app.meter import Meter
from app.metrics import BUDGET_SHARE, IN_FLIGHT, KEY_AGE
from app.metrics_server import MetricsServer
from app.models import Models
from app.relay import Relay
from app.safety import MODERATION_PATH, Moderation, Post
from app.secret import Secret, Source, openai_key
from app.sender import Sender
from app.serving import serving
from app.settings import Settings
from app.upstream import Upstream
from app.usage_api import UsageApi
from app.valkey import Valkey

WARM_S = 0.5
"""Longest time that the start waits for secrets and Valkey; they go on in the background after it."""


def create_app() -> Access:
    """The gateway from the environment alone; every worker process makes its own."""
    settings = Settings.load()
    log.configure(settings.stage)
    return build(settings, serving)


def build(settings: Settings, process: Callable[[], AbstractContextManager[None]] = nullcontext) -> Access:
    """The gateway; it serves within what `process` gives."""
    drain, meter, catalog = Drain(settings.drain_s), Meter(settings.stage), Catalog.load()
    catalog.check(settings.models)
    key_source = Source(settings.openai_secret_id, settings.openai_api_key.get_secret_value(), "OPENAI_API_KEY")
    key = Secret("openai_key", key_source, openai_key, settings.secret_ttl_s)
    callers_source = Source(settings.clients_secret_id, settings.clients.get_secret_value(), "GATEWAY_CLIENTS")
    callers = Secret("clients", callers_source, partial(clients.parse, general=_client_limits(settings)), settings.secret_ttl_s)
    upstream = Upstream(settings, key)
    valkey = Valkey(settings.cache_url, settings.cache_iam_cluster)
    ledger = Ledger(valkey, _stage_limits(settings), Ladder.parse(settings.ladder), settings.request_timeout_s)
    relay = Relay(ledger, Dispatch(Sender(upstream), catalog, settings.batch_ms), catalog)
    parts = Parts(settings, callers, catalog, ledger, Moderation(_moderation(upstream)), relay, drain)
    kinds = build_kinds(settings.max_choices, settings.max_output_tokens)
    health = Health(drain, [key, callers], valkey.first_attempt if settings.cache_url else None)
    models = Models(catalog, settings.models, callers)
    meter.watch(IN_FLIGHT, lambda: drain.running)
    meter.watch(BUDGET_SHARE, ledger.share)
    meter.watch(KEY_AGE, key.age_s)
    metrics = MetricsServer(meter.prometheus, settings.host, settings.metrics_port, settings.workers) if settings.metrics_port else None

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        drain.install()
        upstream.open()
        meter.start()
        if metrics:
            await metrics.start()
        warm: list[asyncio.Task[Any]] = [asyncio.create_task(_warm(secret)) for secret in (key, callers)]
        warm.append(asyncio.create_task(asyncio.to_thread(tokens.load, catalog.encodings(settings.models))))
        if settings.cache_url:
            valkey.start()
            warm.append(asyncio.create_task(valkey.first_attempt.wait()))
        await asyncio.wait(warm, timeout=WARM_S)
        with process():
            yield
        for task in warm:
            task.cancel()
        key.close()
        callers.close()
        await ledger.drained()
        await upstream.close()
        await valkey.close()
        if metrics:
            await metrics.close()
        meter.stop()

    endpoints = {"/v1" + path: Endpoint(kind, parts) for path, kind in kinds.items()}
    rest = Starlette(
        routes=[
            *(Route(path, endpoint, methods=["POST"]) for path, endpoint in endpoints.items()),  # for their other methods
            Route("/v1/models", models.many),
            Route("/v1/models/{name:path}", models.one),
            Route("/healthz", health.alive),
            Route("/readyz", health.ready),
            *chat_page.routes(),
            *UsageApi(ledger, models.authenticate).routes(),
        ],
        exception_handlers={GatewayError: answer, 404: answer_http, 405: answer_http, Exception: answer},
        lifespan=lifespan,
    )
    rest.router.redirect_slashes = False
    return Access(rest, endpoints, drain, meter)


def _client_limits(settings: Settings) -> Limits:
    return Limits(
        settings.client_requests_per_minute,
        settings.client_tokens_per_minute,
        settings.client_streams,
        settings.client_usd_per_day,
        settings.client_usd_per_month,
    )


def _stage_limits(settings: Settings) -> Limits:
    minute = settings.stage_requests_per_minute, settings.stage_tokens_per_minute
    return Limits(*minute, usd_per_month=settings.budget_usd_per_month)


def _moderation(upstream: Upstream) -> Post:
    async def post(body: bytes, request_id: str) -> bytes:
        answer = await upstream.post(MODERATION_PATH, body, request_id)
        try:
            if answer.status != HTTPStatus.OK:
                raise await answer.error()
            return await answer.read()
        finally:
            answer.close()

    return post


async def _warm(secret: Secret[str] | Secret[clients.Clients]) -> None:
    with suppress(UnavailableError):
        await secret.get()
