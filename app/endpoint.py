"""POST /v1/…: who asks, whether the request may go out, and in which form it does."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.types import Receive, Scope, Send

from app.caller import Caller, read_body
from app.catalog import Catalog
from app.clients import Client, Clients, authenticate
from app.drain import Drain
from app.errors import SlowRequestError, UnavailableError
from app.exchange import Exchange
from app.job import Bodies, Job
from app.kind import Kind
from app.ledger import Ledger
from app.limits import Step
from app.model import Model
from app.reading import Reader, Reading
from app.relay import Relay
from app.reservation import Reservation
from app.safety import Moderation, safety_identifier
from app.secret import Secret
from app.settings import Settings

SHORTER = 4
"""What the output is divided by at the ladder's step of that name."""
_MAX_AGE = re.compile(rb"max-age=(\d{1,9})")
_STATEFUL = frozenset({"previous_response_id", "conversation", "background"})
Headers = Mapping[bytes, bytes]
Request = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the endpoints share."""

    settings: Settings
    callers: Secret[Clients]
    catalog: Catalog
    ledger: Ledger
    moderation: Moderation
    relay: Relay
    drain: Drain


class Endpoint:
    """One of OpenAI's endpoints, as an ASGI app."""

    def __init__(self, kind: Kind, parts: Parts) -> None:
        self._kind = kind
        self._parts = parts
        self._reader = Reader(kind, redacts=parts.settings.redact)
        self._cheaper, self._shorter = (step in parts.settings.ladder for step in ("cheaper", "shorter"))
        self._secret = (parts.settings.clients_secret_id or parts.settings.stage).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts, entry = self._parts, scope["entry"]
        headers = dict(scope["headers"])
        client = await authenticate(headers.get(b"authorization"), parts.callers)
        entry.client = client.name
        if parts.drain.running > parts.settings.max_in_flight:
            raise UnavailableError(
                "The gateway is busy: send the request again in a moment.", code="overloaded", headers={"retry-after": "1"}
            )
        deadline = asyncio.get_running_loop().time() + parts.settings.request_timeout_s
        try:
            async with Caller(receive, deadline, watched=False):
                body = await read_body(headers.get(b"content-length", b"0"), receive, parts.settings.max_body_bytes)
        except TimeoutError:
            raise SlowRequestError("The request's body did not arrive in time.") from None
        reading = self._reader.read(body)
        job = self._job(client, headers, reading, deadline)
        entry.model, entry.feature = job.model.name, job.reservation.feature
        moderated = parts.settings.moderate if client.moderate is None else client.moderate
        if moderated and not job.model.free:
            await parts.moderation.require(self._kind.texts(reading.request), entry.request_id)
        await parts.relay.answer(job, Exchange(entry, receive, send, parts.settings.ping_s))
        if entry.cache == "hit":
            self._reader.remember(reading)

    def _job(self, client: Client, headers: Headers, reading: Reading, deadline: float) -> Job:
        """The request in the form in which it goes out: its model, its output's limit, and what it must not lack."""
        kind, catalog, settings, step = self._kind, self._parts.catalog, self._parts.settings, self._parts.ledger.step()
        request = reading.request
        allowed = client.models or settings.models
        model = catalog.resolve(request.get("model", kind.model), allowed, kind.name)
        prompt = reading.prompt_tokens(model)
        if self._cheaper and step >= Step.CHEAPER:
            model = catalog.cheaper(model, allowed, prompt)
        share = SHORTER if self._shorter and step >= Step.SHORTER else 1
        default, maximum = settings.default_output_tokens // share, settings.max_output_tokens // share
        output = reading.output_tokens(model, default, maximum)
        counted = kind.counted(request)

        def written(each: Model) -> bytes:
            limited = kind.limited(request, kind.output_limit(request, model, default, maximum))
            named = {} if request.get("model") == each.name else {"model": each.name}
            return kind.rewrite(reading.body, request, **named, **counted, **limited, **self._accountable(client, request))

        models = [model]
        if (fallback := catalog.fallback(model, allowed, prompt + output)) is not None:
            models.append(fallback)
        keep = self._keep(client, headers, request)
        stream = kind.streams and request.get("stream") is True
        reservation = Reservation(
            "",
            client.name,
            model.name,
            feature=_label(headers, request, b"x-feature", "feature"),
            tokens=prompt + output,
            cost_nanousd=catalog.reserve_nanousd(model, prompt, output, request.get("service_tier")),
            stream=stream,
            keep=keep,
            cache_digest=reading.digest(model) if keep else "",
            prompt_version=_label(headers, request, b"x-prompt-version", "prompt_version"),
        )
        return Job(kind, reading, model, Bodies(models, written), prompt, deadline, reservation, client.limits, bool(counted))

    def _accountable(self, client: Client, request: Request) -> Request:
        """What tells OpenAI to store nothing, unless the caller wants it, and whom it answers, without a name."""
        if "store" not in self._kind.rules:  # only these take either
            return {}
        user = request.get("safety_identifier") or request.get("user")
        identifier = safety_identifier(self._secret, client.name, user if isinstance(user, str) else None)
        return {"safety_identifier": identifier} | ({} if "store" in request else {"store": False})

    def _keep(self, client: Client, headers: Headers, request: Request) -> int:
        """How long the answer is kept, in seconds (0: not at all).

        `cache-control: no-store` keeps it out of the cache, and `max-age` says how old an answer from there may be, and for how long this
        one is kept, up to the stage's time. A request that asks for variety (a temperature above 0 by name) is kept only if it has a
        `max-age`; one that builds on what OpenAI stores, never.
        """
        ttl_s = self._parts.settings.cache_ttl_s
        control = headers.get(b"cache-control", b"").lower()
        if not ttl_s or not client.cache or b"no-store" in control or request.get("store") is True:
            return 0
        if not _STATEFUL.isdisjoint(request) and any(request.get(name) for name in _STATEFUL):
            return 0
        if age := _MAX_AGE.search(control):
            return min(ttl_s, int(age[1]))
        return 0 if request.get("temperature") else ttl_s


def _label(headers: Headers, request: Request, header: bytes, name: str) -> str:
    """What the caller says about a request, in a header or among its metadata."""
    value = headers.get(header)
    if value is not None:
        return value.decode("latin-1")
    metadata = request.get("metadata")
    value = metadata.get(name) if isinstance(metadata, dict) else None
    return value if isinstance(value, str) else ""
