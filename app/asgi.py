"""The application: its parts, its routes, and what is opened before the first request and closed after the last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from app import chat_page, clients, log
from app.access import Access
from app.cache import Cache
from app.chat import PATH, ChatCompletions
from app.drain import Drain
from app.errors import GatewayError, UnavailableError, answer, answer_http
from app.health import Health
from app.models import Models
from app.relay import Relay
from app.secret import Secret, Source, openai_key
from app.settings import Settings
from app.upstream import Upstream
from app.valkey import Valkey

WARM_S = 0.5
"""Longest time that the start waits for secrets and Valkey; they go on in the background after it."""


def create_app() -> Starlette:
    """The gateway from the environment alone; every worker process makes its own."""
    settings = Settings.load()
    log.configure(settings.stage)
    return build(settings)


def build(settings: Settings) -> Starlette:
    drain = Drain(settings.drain_s)
    key_source = Source(settings.openai_secret_id, settings.openai_api_key.get_secret_value(), "OPENAI_API_KEY")
    key = Secret("openai_key", key_source, openai_key, settings.secret_ttl_s)
    callers_source = Source(settings.clients_secret_id, settings.clients.get_secret_value(), "GATEWAY_CLIENTS")
    callers = Secret("clients", callers_source, clients.parse, settings.secret_ttl_s)
    upstream = Upstream(settings, key)
    valkey = Valkey(settings.cache_url, settings.cache_iam_cluster) if settings.cache_url and settings.cache_ttl_s else None
    relay = Relay(upstream, Cache(valkey, settings.cache_ttl_s) if valkey else None, settings.ping_s)
    health = Health(drain, [key, callers])
    models = Models(settings.models, callers)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        drain.install()
        upstream.open()
        if valkey:
            valkey.start()
        warm = [asyncio.create_task(_warm(secret)) for secret in (key, callers)]
        if valkey:
            warm.append(asyncio.create_task(_wait(valkey.first_attempt)))
        await asyncio.wait(warm, timeout=WARM_S)
        yield
        for task in warm:
            task.cancel()
        key.close()
        callers.close()
        await upstream.close()
        if valkey:
            await valkey.close()

    app = Starlette(
        routes=[
            Route("/v1" + PATH, ChatCompletions(settings, callers, relay), methods=["POST"]),
            Route("/v1/models", models.many),
            Route("/v1/models/{name:path}", models.one),
            Route("/healthz", health.alive),
            Route("/readyz", health.ready),
            *chat_page.routes(),
        ],
        middleware=[Middleware(Access, drain=drain)],
        exception_handlers={GatewayError: answer, 404: answer_http, 405: answer_http},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


async def _warm(secret: Secret[str] | Secret[clients.Clients]) -> None:
    with suppress(UnavailableError):
        await secret.get()


async def _wait(event: asyncio.Event) -> None:
    await event.wait()
