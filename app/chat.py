"""POST /v1/chat/completions: who asks, whether the request may go out, and what it is to be kept under."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, NoReturn

from starlette.types import Receive, Scope, Send

from app.access import Entry
from app.caller import read_body
from app.clients import Clients, authenticate
from app.errors import InvalidRequestError, NotFoundError, SlowRequestError
from app.relay import Exchange, Job, Relay
from app.secret import Secret
from app.settings import Settings

PATH = "/chat/completions"
Rule = tuple[Callable[[Any], bool], str]
_FLAG: Rule = (lambda value: isinstance(value, bool), "must be true or false")
_COUNT: Rule = (lambda value: type(value) is int and value > 0, "must be an integer of at least 1")
_NUMBER: Rule = (lambda value: type(value) in {int, float}, "must be a number")
_OPTIONS = dict.fromkeys(("stream", "store"), _FLAG)
_OPTIONS |= dict.fromkeys(("n", "max_tokens", "max_completion_tokens"), _COUNT)
_OPTIONS |= dict.fromkeys(("temperature", "top_p", "frequency_penalty", "presence_penalty"), _NUMBER)


class ChatCompletions:
    """The ASGI endpoint."""

    def __init__(self, settings: Settings, callers: Secret[Clients], relay: Relay) -> None:
        self._settings = settings
        self._callers = callers
        self._relay = relay

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        entry: Entry = scope["entry"]
        headers = dict(scope["headers"])
        client = await authenticate(headers.get(b"authorization"), self._callers)
        entry.client = client.name
        deadline = asyncio.get_running_loop().time() + self._settings.request_timeout_s
        try:
            async with asyncio.timeout_at(deadline):
                body = await read_body(scope, receive, self._settings.max_body_bytes)
        except TimeoutError:
            raise SlowRequestError("The request's body did not arrive in time.") from None
        request = parse(body)
        check(request, self._settings.models)
        entry.model = request["model"]
        keep = b"no-store" not in headers.get(b"cache-control", b"").lower()
        job = Job(client.name, PATH, request, unstored(body, request), deadline, keep)
        await self._relay.answer(job, Exchange(entry, scope, receive, send))


def parse(body: bytes) -> dict[str, Any]:
    """The request's members.

    Raises:
        InvalidRequestError: it is not one JSON object.
    """
    try:
        request = _DECODER.decode(body.decode())
    except InvalidRequestError:
        raise
    except (ValueError, RecursionError):
        raise InvalidRequestError("We could not parse the JSON body of your request.", code="invalid_json") from None
    if not isinstance(request, dict):
        raise InvalidRequestError("The body of your request must be a JSON object.", code="invalid_json")
    return request


def check(request: dict[str, Any], models: tuple[str, ...]) -> None:
    """Refuse what OpenAI would, or must never, get.

    Raises:
        InvalidRequestError: a member has the wrong type; the error names it.
        NotFoundError: the model is none of `models`.
    """
    model = request.get("model")
    if not isinstance(model, str) or not model:
        _refuse("model", "must be a string")
    if model not in models:
        message = f"The model {model[:100]!r} does not exist here; there are: {', '.join(models)}."
        raise NotFoundError(message, param="model", code="model_not_found")
    _check_messages(request.get("messages"))
    for name, (fits, rule) in _OPTIONS.items():
        value = request.get(name)
        if value is not None and not fits(value):
            _refuse(name, rule)


def unstored(body: bytes, request: dict[str, Any]) -> bytes:
    """The body with `"store": false`, unless the caller says whether OpenAI may store the answer; not a byte of the rest is changed."""
    if "store" in request:
        return body
    brace = body.index(b"{") + 1
    return b"".join((body[:brace], b'"store":false,', body[brace:]))


def _check_messages(messages: object) -> None:
    if not isinstance(messages, list) or not messages:
        _refuse("messages", "must be an array with at least one message")
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            _refuse(f"messages[{index}]", "must be an object")
        if not isinstance(message.get("role"), str):
            _refuse(f"messages[{index}].role", "must be a string")


def _refuse(param: str, message: str) -> NoReturn:
    raise InvalidRequestError(f"Invalid value for '{param}': it {message}.", param=param, code="invalid_value")


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object. As the bytes go out unchanged, what was checked must be what OpenAI reads: a name that stands twice leaves that open."""
    found = dict(members)
    if len(found) != len(members):
        raise InvalidRequestError("An object in the body of your request has two members of the same name.", code="invalid_json")
    return found


def _constant(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
