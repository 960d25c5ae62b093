"""What the ledger remembers of requests: usage by day, client, model and feature, spending, and what of it may be evicted."""

from __future__ import annotations

import time
from typing import Any

import pytest

from app.usage import Usage
from app.valkey import Valkey
from tests.app.books import FREE, NOON, USD, Clock, clock, new_ledger, request, spend, valkey

__all__ = ["clock", "valkey"]  # fixtures
DAY = "2026-11-23"


async def test_usage_is_kept_by_day_client_model_and_feature(valkey: Valkey, clock: Clock) -> None:
    ledger = new_ledger(valkey)

    async def use(client: str, **values: Any) -> None:
        asked = request(client, feature=values.pop("feature", ""), model=values.pop("model", "gpt-5-mini"))
        await ledger.reserve(asked, FREE)
        ledger.settle(asked, **values)

    await use("web", feature="search", tokens=30, cost_nanousd=7, usage=Usage(10, 20))
    await use("web", feature="search", tokens=30, cost_nanousd=5, usage=Usage(1, 2))
    await use("web", feature="a b\n☃", hit=True, saved_nanousd=9, usage=Usage(3, 4))
    await use("web", error=True)
    await use("batch", model="gpt-5-nano", cost_nanousd=1)
    await ledger.drained()
    await clock.set(NOON + 86400)
    await use("web")
    await ledger.drained()
    names = (
        "client",
        "model",
        "feature",
        "requests",
        "hits",
        "errors",
        "prompt_tokens",
        "completion_tokens",
        "cost_nanousd",
        "saved_nanousd",
    )
    rows = [("batch", "gpt-5-nano", "", 1, 0, 0, 0, 0, 1, 0)]
    own = [
        ("web", "gpt-5-mini", "", 1, 0, 1, 0, 0, 0, 0),
        ("web", "gpt-5-mini", "a_b__", 1, 1, 0, 3, 4, 0, 9),
        ("web", "gpt-5-mini", "search", 2, 0, 0, 11, 22, 12, 0),
    ]
    assert await ledger.usage([DAY]) == [{"day": DAY} | dict(zip(names, row, strict=True)) for row in rows + own]
    assert await ledger.usage([DAY], "web") == [{"day": DAY} | dict(zip(names, row, strict=True)) for row in own]
    assert [(row["day"], row["requests"]) for row in await ledger.usage(["2026-11-24", "2026-11-25"])] == [("2026-11-24", 1)]


async def test_what_is_booked_alike_in_a_moment_is_one_booking_of_them_all(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, records = new_ledger(valkey), []

    async def run(script: str, arguments: list[str | bytes]) -> Any:
        records.append(int(arguments[1]))
        return await Valkey.run(valkey, script, arguments)

    asked = [request(feature=feature) for feature in ("a", "a", "a", "b", "a")]
    for each in asked:
        await ledger.reserve(each, FREE)
        each.how = "hit"
    await ledger.drained()
    monkeypatch.setattr(valkey, "run", run)
    for number, each in enumerate(asked, 1):
        ledger.settle(each, hit=True, saved_nanousd=number, usage=Usage(number, 2 * number))
    await ledger.drained()
    assert sum(records) == 3
    rows = {row["feature"]: row for row in await ledger.usage([time.strftime("%Y-%m-%d", time.gmtime())])}
    names = "requests", "hits", "prompt_tokens", "completion_tokens", "saved_nanousd"
    assert [rows["a"][name] for name in names] == [4, 4, 11, 22, 11]
    assert [rows["b"][name] for name in names] == [1, 1, 4, 8, 4]


async def test_what_is_held_is_settled_one_by_one(valkey: Valkey) -> None:
    """Each hold is another one, though all else is the same."""
    ledger = new_ledger(valkey)
    asked = [request(tokens=100) for _ in range(3)]
    for each in asked:
        await ledger.reserve(each, FREE)
    for each in asked:
        ledger.settle(each, tokens=10)
    await ledger.drained()
    assert await valkey.command("ZCARD", "ledger:holds") == 0


async def test_features_without_number_do_not_fill_the_memory(valkey: Valkey) -> None:
    ledger = new_ledger(valkey)
    for number in range(520):
        asked = request(feature=f"f{number}")
        await ledger.reserve(asked, FREE)
        ledger.settle(asked, cost_nanousd=1)
    await ledger.drained()
    rows = await ledger.usage([time.strftime("%Y-%m-%d", time.gmtime())], "web")
    assert len(rows) == 501
    assert sum(row["requests"] for row in rows) == 520
    assert next(row["requests"] for row in rows if row["feature"] == "other") == 20


async def test_spending_can_be_read(valkey: Valkey) -> None:
    ledger = new_ledger(valkey)
    assert set((await ledger.spend("web")).values()) == {0}
    await spend(ledger, 1.5)
    await spend(ledger, 2, "another")
    assert await ledger.spend("web") == {
        "client_day_nanousd": 1.5 * USD,
        "client_month_nanousd": 1.5 * USD,
        "stage_month_nanousd": 3.5 * USD,
    }


async def test_only_what_expires_can_be_evicted_but_no_budget(valkey: Valkey) -> None:
    ledger = new_ledger(valkey)
    asked = request(cache_digest="0" * 64)
    await ledger.reserve(asked, FREE)
    ledger.settle(asked, answer=b"kept")
    await ledger.reserve(request(), FREE)
    await ledger.invalidate(model="gpt-5-mini")
    await ledger.drained()
    lasts = {key.decode(): int(await valkey.command("TTL", key.decode()) or 0) for key in await valkey.command("KEYS", "*") or ()}
    assert {key for key, ttl in lasts.items() if ttl == -1} == {"ledger:stage", "ledger:client:web", "ledger:holds", "ledger:epochs"}
    assert {key.split(":")[0] for key, ttl in lasts.items() if ttl > 0} == {"cache", "usage"}
