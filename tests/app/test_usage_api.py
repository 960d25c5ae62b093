"""GET /usage and POST /cache/invalidate: who may see and do what, and how it adds up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import aiohttp
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request

from app.__main__ import listen
from app.errors import AuthenticationError, GatewayError, answer
from app.usage_api import MAX_DAYS, Identity, UsageApi
from tests.app.conftest import error_of


@dataclass
class Caller:
    name: str
    operator: bool = False


KEYS = {"Bearer web": Caller("web"), "Bearer shop": Caller("shop"), "Bearer ops": Caller("ops", operator=True)}
TODAY = date(2026, 3, 1)


def row(day: str, client: str, model: str, feature: str, **numbers: int) -> dict[str, Any]:
    counts = {"requests": 10, "hits": 4, "errors": 1, "prompt_tokens": 100, "completion_tokens": 50}
    amounts = {"cost_nanousd": 1_500_000_000, "saved_nanousd": 250_000_000}
    return {"day": day, "client": client, "model": model, "feature": feature} | counts | amounts | numbers


class Rows:
    """Keeps rows as the ledger gives them, and what was asked of it."""

    def __init__(self) -> None:
        self.invalidated: list[dict[str, Any]] = []
        self.rows = [
            row("2026-03-01", "web", "gpt-5", "search"),
            row("2026-03-01", "web", "gpt-5-mini", ""),
            row("2026-02-28", "web", "gpt-5", "search", requests=1, cost_nanousd=1),
            row("2026-03-01", "shop", "gpt-5", "search", requests=100),
            row("2026-01-01", "web", "gpt-5", "search", requests=1000),
        ]

    async def usage(self, days: list[str], client: str | None) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["day"] in days and client in {None, row["client"]}]

    async def invalidate(self, **scope: str | None) -> None:
        self.invalidated.append(scope)


async def identify(request: Request) -> Identity:
    if caller := KEYS.get(request.headers.get("authorization", "")):
        return caller
    raise AuthenticationError("Incorrect API key provided.")


class Api:
    def __init__(self, url: str, rows: Rows, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.rows = rows
        self.http = http

    def get(self, query: str = "", key: str = "web", **headers: str) -> Any:
        return self.http.get(f"{self.url}/usage{query}", headers={"authorization": f"Bearer {key}"} | headers)

    def invalidate(self, body: Any, key: str = "web") -> Any:
        data = body if isinstance(body, bytes) else None
        headers = {"authorization": f"Bearer {key}"}
        return self.http.post(f"{self.url}/cache/invalidate", data=data, json=None if data is not None else body, headers=headers)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    rows = Rows()
    app = Starlette(routes=UsageApi(rows, identify, lambda: TODAY).routes(), exception_handlers={GatewayError: answer})
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", ws="none", log_config=None, access_log=False))
    listener = listen("127.0.0.1", 0)
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup(sockets=[listener])
    async with aiohttp.ClientSession() as http:
        yield Api(f"http://127.0.0.1:{listener.getsockname()[1]}", rows, http)
    for listening in server.servers:
        listening.close()
    for connection in list(server.server_state.connections):
        connection.shutdown()
    await asyncio.gather(*server.server_state.tasks, return_exceptions=True)


async def test_a_client_sees_its_own_usage(api: Api) -> None:
    async with api.get("?days=2&group=day,model") as response:
        assert response.status == 200
        assert response.headers["cache-control"] == "no-store"
        report = await response.json()
    assert (report["scope"], report["client"], report["days"]) == ("client", "web", ["2026-02-28", "2026-03-01"])
    assert [(row["day"], row["model"], row["requests"]) for row in report["data"]] == [
        ("2026-02-28", "gpt-5", 1),
        ("2026-03-01", "gpt-5", 10),
        ("2026-03-01", "gpt-5-mini", 10),
    ]
    assert report["total"] == {
        "requests": 21,
        "hits": 12,
        "errors": 3,
        "prompt_tokens": 300,
        "completion_tokens": 150,
        "cost_usd": 3.000000001,
        "saved_usd": 0.75,
    }


async def test_an_operator_sees_all_and_may_filter(api: Api) -> None:
    async with api.get("?group=client", "ops") as response:
        report = await response.json()
        assert (report["scope"], report["client"], len(report["days"])) == ("operator", None, 7)
        assert [(row["client"], row["requests"]) for row in report["data"]] == [("shop", 100), ("web", 21)]
    async with api.get("?client=web&model=gpt-5&feature=search", "ops") as response:
        assert [row["requests"] for row in (await response.json())["data"]] == [1, 10]
    async with api.get(f"?days={MAX_DAYS}&group=feature", "ops") as response:
        assert {row["feature"]: row["requests"] for row in (await response.json())["data"]} == {"": 10, "search": 1111}


@pytest.mark.parametrize("key", ["web", "shop"])
async def test_a_client_sees_no_other(api: Api, key: str) -> None:
    other = "shop" if key == "web" else "web"
    async with api.get(f"?client={other}", key) as response:
        assert response.status == 403
        assert (await error_of(response))["code"] == "operator_only"
    async with api.get("?days=62", key) as response:
        assert {row["client"] for row in (await response.json())["data"]} == {key}


@pytest.mark.parametrize(
    ("query", "param"),
    [*((f"?days={days}", "days") for days in ("0", "63", "-1", "x", "1e1", "", "9999999999", "%C2%B2")), ("?group=hour", "group")],
)
async def test_wrong_questions_are_refused_by_name(api: Api, query: str, param: str) -> None:
    async with api.get(query) as response:
        assert response.status == 400
        error = await error_of(response)
        assert error["param"] == param
        assert param in error["message"]


async def test_without_a_key_there_is_a_page_for_browsers_and_nothing_else(api: Api) -> None:
    async with api.get(key="nobody") as response:
        assert response.status == 401
    async with api.get(key="nobody", accept="text/html,application/xhtml+xml;q=0.9") as response:
        assert response.content_type == "text/html"
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert response.headers["vary"] == "accept"
        assert 'id="keys-form"' in await response.text()
    async with api.invalidate({}, "nobody") as response:
        assert response.status == 401
    assert not api.rows.invalidated


@pytest.mark.parametrize("body", [b"", {}, {"client": "web"}])
async def test_a_client_invalidates_its_own_answers(api: Api, body: Any) -> None:
    async with api.invalidate(body) as response:
        assert response.status == 200
        assert (await response.json())["invalidated"] == {"client": "web"}
    assert api.rows.invalidated == [{"client": "web"}]


@pytest.mark.parametrize("body", [{"client": "shop"}, {"model": "gpt-5"}, {"client": "web", "prompt_version": "3"}])
async def test_a_client_invalidates_nothing_else(api: Api, body: Any) -> None:
    async with api.invalidate(body) as response:
        assert response.status == 403
    async with api.invalidate(body, "ops") as response:
        assert response.status == 200
    assert api.rows.invalidated == [body]


@pytest.mark.parametrize(
    "body", [{}, b"{", b"\xff", [], {"tenant": "web"}, {"model": 1}, {"model": ""}, {"model": "x" * 257}, b"[" * 3000, {"model": None}]
)
async def test_what_cannot_be_invalidated(api: Api, body: Any) -> None:
    async with api.invalidate(body, "ops") as response:
        assert response.status == 400
        await error_of(response)
    assert not api.rows.invalidated


async def test_body_is_bounded(api: Api) -> None:
    async with api.invalidate(b'"' + b"x" * 5000 + b'"', "ops") as response:
        assert response.status == 413
