"""GET /usage, what was used and what it cost, and POST /cache/invalidate: a client for itself, an operator for all."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, NoReturn, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.caller import read_body
from app.chat_page import Page
from app.errors import InvalidRequestError
from app.limits import NANOUSD

GROUPS = ("day", "client", "model", "feature")
FILTERS = ("client", "model", "feature")
COUNTS = ("requests", "hits", "errors", "prompt_tokens", "completion_tokens")
AMOUNTS = {"cost_nanousd": "cost_usd", "saved_nanousd": "saved_usd"}
DAYS, MAX_DAYS = 7, 62
MAX_BODY_BYTES, MAX_NAME = 4096, 256
SCOPES = ("client", "model", "prompt_version")


class Identity(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def operator(self) -> bool: ...


class UsageSource(Protocol):
    """Where the numbers are kept."""

    async def usage(self, days: list[str], client: str | None) -> list[dict[str, Any]]: ...
    async def invalidate(self, *, client: str | None = None, model: str | None = None, prompt_version: str | None = None) -> None: ...


Identify = Callable[[Request], Awaitable[Identity]]
"""Whose key a request carries; raises `AuthenticationError`."""


class OperatorOnlyError(InvalidRequestError):
    status = 403
    default_code = "operator_only"


class UsageApi:
    """The two endpoints, and the page that draws the first one's JSON."""

    def __init__(self, source: UsageSource, identify: Identify, today: Callable[[], date] = lambda: datetime.now(UTC).date()) -> None:
        self._source = source
        self._identify = identify
        self._today = today
        self._page = Page("usage.html", "text/html")

    def routes(self) -> list[Route]:
        return [Route("/usage", self.usage), Route("/cache/invalidate", self.invalidate, methods=["POST"])]

    async def usage(self, request: Request) -> Response:
        """The page for a browser that opens it, which has no key yet; else JSON: `?days=7&group=day,model&client=&model=&feature=`."""
        if "text/html" in request.headers.get("accept", ""):
            return self._page.response(request, {"vary": "accept"})
        caller = await self._identify(request)
        query = request.query_params
        days, group = _days(query.get("days")), _group(query.get("group"))
        filters = {name: query[name] for name in FILTERS if query.get(name)}
        if not caller.operator and filters.setdefault("client", caller.name) != caller.name:
            raise OperatorOnlyError("Your key shows your own usage; an operator's key shows that of all clients.", param="client")
        today = self._today()
        dates = [(today - timedelta(back)).isoformat() for back in reversed(range(days))]
        rows = await self._source.usage(dates, filters.get("client"))
        rows = [row for row in rows if all(row[name] == value for name, value in filters.items())]
        report = {
            "object": "usage",
            "scope": "operator" if caller.operator else "client",
            "client": filters.get("client"),
            "days": dates,
            "group": group,
            "total": _sum(rows),
            "data": _grouped(rows, group),
        }
        return JSONResponse(report, headers={"cache-control": "no-store", "vary": "accept"})

    async def invalidate(self, request: Request) -> Response:
        """Make what is in the cache unreachable: a client's, a model's, a prompt version's. A client may do it to its own, `{}`."""
        caller = await self._identify(request)
        scope = _scope(await read_body(request.headers.get("content-length", "0"), request.receive, MAX_BODY_BYTES))
        if not caller.operator:
            if set(scope) - {"client"} or scope.setdefault("client", caller.name) != caller.name:
                raise OperatorOnlyError("Your key invalidates your own answers alone: send {}. For others it takes an operator's key.")
        elif not scope:
            raise InvalidRequestError(f"Name what is to be invalidated: one or more of {', '.join(SCOPES)}.")
        await self._source.invalidate(**scope)
        return JSONResponse({"object": "cache.invalidation", "invalidated": scope})


def _days(text: str | None) -> int:
    if text is None:
        return DAYS
    if not (text.isascii() and text.isdigit() and len(text) < len("999") and 1 <= int(text) <= MAX_DAYS):
        _refuse("days", f"must be a number of days from 1 to {MAX_DAYS}")
    return int(text)


def _group(text: str | None) -> list[str]:
    names = list(dict.fromkeys(text.split(","))) if text else list(GROUPS)
    if not set(names) <= set(GROUPS):
        _refuse("group", f"must be one or more of {', '.join(GROUPS)}, separated by commas")
    return names


def _grouped(rows: Iterable[Mapping[str, Any]], group: list[str]) -> list[dict[str, Any]]:
    found: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in group), []).append(row)
    return [dict(zip(group, key, strict=True)) | _sum(same) for key, same in sorted(found.items())]


def _sum(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    rows = list(rows)
    counts: dict[str, float] = {name: sum(row[name] for row in rows) for name in COUNTS}
    return counts | {shown: sum(row[name] for row in rows) / NANOUSD for name, shown in AMOUNTS.items()}


def _scope(body: bytes) -> dict[str, str]:
    try:
        scope = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise InvalidRequestError("We could not parse the JSON body of your request.", code="invalid_json") from None
    if not isinstance(scope, dict):
        raise InvalidRequestError("The body of your request must be a JSON object.", code="invalid_json")
    for name, value in scope.items():
        if name not in SCOPES:
            _refuse(name[:100], f"is not known; there are {', '.join(SCOPES)}")
        if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME:
            _refuse(name, f"must be a string of 1 to {MAX_NAME} characters")
    return scope


def _refuse(param: str, message: str) -> NoReturn:
    raise InvalidRequestError(f"Invalid value for '{param}': it {message}.", param=param)
