"""The ledger over a real Valkey: every limit, the budget and its ladder, usage, and what holds give back."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from typing import Any

import pytest

from app.ledger import Ledger
from app.limits import Limits, Step
from app.valkey import Valkey
from tests.app.books import FREE, NOON, USD, Clock, clock, new_ledger, request, spend, valkey

__all__ = ["clock", "valkey"]  # fixtures

REFUSALS: list[tuple[dict[str, Any], dict[str, Any], int, float | None]] = [
    ({"requests_per_minute": 3}, {}, 3, 20),
    ({"tokens_per_minute": 600}, {"tokens": 200}, 3, 20),
    ({"tokens_per_minute": 600}, {"tokens": 601}, 0, None),
    ({"streams": 2}, {"stream": True}, 2, 1),
    ({"usd_per_day": 3}, {"cost_nanousd": USD}, 3, 1),
    ({"usd_per_month": 3}, {"cost_nanousd": USD}, 3, 1),
    ({"usd_per_month": 3}, {"cost_nanousd": 3 * USD + 1}, 0, None),
]


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("scope", ["client", "stage"])
@pytest.mark.parametrize(("limits", "asked", "fit", "wait_s"), REFUSALS, ids=str)
async def test_what_does_not_fit_is_refused(  # noqa: PLR0913, PLR0917  parameters
    valkey: Valkey, scope: str, limits: dict[str, Any], asked: dict[str, Any], fit: int, wait_s: float | None
) -> None:
    ledger = new_ledger(valkey, **limits if scope == "stage" else {})
    own = Limits(**limits) if scope == "client" else FREE
    refused = request(**asked)
    verdicts = [await ledger.reserve(request(**asked), own) for _ in range(fit + 1)] + [await ledger.reserve(refused, own)]
    assert [verdict.state for verdict in verdicts] == ["go"] * fit + ["refused"] * 2
    assert verdicts[-1].limit == f"{scope}_{next(iter(limits))}"
    ledger.settle(refused, tokens=10**6, cost_nanousd=10 * USD)  # which does nothing
    await ledger.drained()
    assert (await ledger.spend("web"))["client_day_nanousd"] == 0
    assert verdicts[-1].retry_after_s == (pytest.approx(wait_s) if wait_s else None)
    other = await ledger.reserve(request("another", **asked), own)
    assert other.state == ("refused" if scope == "stage" or not fit else "go")


async def test_buckets_fill_again_evenly(valkey: Valkey, clock: Clock) -> None:
    ledger, limits = new_ledger(valkey), Limits(requests_per_minute=6)
    async with asyncio.TaskGroup() as group:
        first = [group.create_task(ledger.reserve(request(), limits)) for _ in range(8)]
    assert sum(task.result().state == "go" for task in first) == 6
    await clock.set(NOON + 9.9)
    assert (await ledger.reserve(request(), limits)).retry_after_s == pytest.approx(0.1)
    await clock.set(NOON + 10)
    assert [(await ledger.reserve(request(), limits)).state for _ in range(2)] == ["go", "refused"]


@pytest.mark.usefixtures("clock")
async def test_headers_are_openais_and_the_clients(valkey: Valkey) -> None:
    ledger = new_ledger(valkey, requests_per_minute=7)
    limits = Limits(requests_per_minute=60, tokens_per_minute=30_000)
    assert (await ledger.reserve(request(tokens=15_000), limits)).headers == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-limit-tokens": "30000",
        "x-ratelimit-remaining-tokens": "15000",
        "x-ratelimit-reset-tokens": "30s",
    }
    refused = await ledger.reserve(request(tokens=15_001), limits)
    assert (refused.state, refused.headers["x-ratelimit-remaining-tokens"]) == ("refused", "15000")
    assert (await ledger.reserve(request(), FREE)).headers == {}


@pytest.mark.usefixtures("clock")
async def test_what_was_not_used_comes_back_and_what_was_used_more_is_taken(valkey: Valkey) -> None:
    ledger, limits = new_ledger(valkey), Limits(tokens_per_minute=1000, streams=1, usd_per_day=10)
    await ledger.reserve(request(tokens=100), limits)  # so that the limit is never wholly free
    asked = request(tokens=900, stream=True, cost_nanousd=10 * USD)
    assert (await ledger.reserve(asked, limits)).state == "go"
    ledger.settle(asked, tokens=300, cost_nanousd=3 * USD)
    ledger.settle(asked, tokens=0, cost_nanousd=0)  # a second time it does nothing
    await ledger.drained()
    again = request(tokens=600, stream=True, cost_nanousd=7 * USD)
    assert (await ledger.reserve(again, limits)).state == "go"
    ledger.settle(again, tokens=1600, cost_nanousd=8 * USD)
    await ledger.drained()
    refused = await ledger.reserve(request(tokens=1), limits)
    assert refused.retry_after_s == pytest.approx(60.06)
    assert (await ledger.reserve(request(cost_nanousd=1), Limits(usd_per_day=10))).limit == "client_usd_per_day"


async def test_what_does_not_go_out_after_all_is_given_back_and_not_counted(valkey: Valkey) -> None:
    ledger, limits = new_ledger(valkey), Limits(streams=1, tokens_per_minute=1000)
    await ledger.reserve(request(tokens=100), limits)
    asked = request(tokens=900, stream=True)
    assert (await ledger.reserve(asked, limits)).state == "go"
    ledger.release(asked)
    ledger.settle(asked, tokens=900)
    await ledger.drained()
    assert (await ledger.reserve(request(tokens=900, stream=True), limits)).state == "go"
    assert await ledger.usage([time.strftime("%Y-%m-%d", time.gmtime())]) == []


async def test_what_would_have_been_free_anyway_does_not_come_back(valkey: Valkey, clock: Clock) -> None:
    ledger, limits = new_ledger(valkey), Limits(tokens_per_minute=600)
    asked = request(tokens=600)
    await ledger.reserve(asked, limits)
    await clock.set(NOON + 60)  # all of it is free again
    assert (await ledger.reserve(request(tokens=600), limits)).state == "go"
    ledger.settle(asked, tokens=0)
    await ledger.drained()
    assert (await ledger.reserve(request(tokens=1), limits)).state == "refused"


async def test_a_hold_that_nobody_settles_lapses(valkey: Valkey, clock: Clock) -> None:
    limits = Limits(streams=1, usd_per_month=5)
    ledger = new_ledger(valkey, longest_s=100, usd_per_month=5)
    lost = request(stream=True, cost_nanousd=5 * USD)
    assert (await ledger.reserve(lost, limits)).state == "go"
    await clock.set(NOON + 129)
    assert (await ledger.reserve(request("another", cost_nanousd=1), FREE)).limit == "stage_usd_per_month"
    await clock.set(NOON + 131)
    assert (await ledger.reserve(request("another", cost_nanousd=1), FREE)).state == "go"
    found = request(stream=True, cost_nanousd=4 * USD)
    assert (await ledger.reserve(found, limits)).state == "go"
    ledger.settle(lost, cost_nanousd=USD)  # it was alive after all, and late: what it used is counted
    ledger.settle(found, cost_nanousd=2 * USD)
    await ledger.drained()
    assert (await valkey.command("ZCARD", "ledger:holds")) == 1
    assert (await ledger.reserve(request(cost_nanousd=2 * USD - 1), limits)).state == "go"
    assert (await ledger.reserve(request(cost_nanousd=1), limits)).limit == "stage_usd_per_month"


@pytest.mark.parametrize("today", ["2026-11-30", "2026-12-31", "2027-02-28", "2028-02-28", "2028-02-29", "2100-02-28", "2026-01-31"])
async def test_a_day_and_a_month_begin_at_nothing(valkey: Valkey, clock: Clock, today: str) -> None:
    ledger, limits = new_ledger(valkey), Limits(usd_per_day=1, usd_per_month=1)
    midnight = dt.datetime.combine(dt.date.fromisoformat(today) + dt.timedelta(1), dt.time(), dt.UTC)
    await clock.set(midnight.timestamp() - 3600)
    await spend(ledger, 1)
    refused = await ledger.reserve(request(cost_nanousd=1), limits)
    assert (refused.limit, refused.retry_after_s) == ("client_usd_per_day", 3600)
    await clock.set(midnight.timestamp() - 1e-6)
    assert (await ledger.reserve(request(cost_nanousd=1), limits)).limit == "client_usd_per_day"
    await clock.set(midnight.timestamp())
    same_month = midnight.day > 1
    verdict = await ledger.reserve(request(cost_nanousd=1), limits)
    assert (verdict.limit, verdict.state) == (("client_usd_per_month", "refused") if same_month else ("", "go"))


async def test_the_ladder_goes_down_with_the_budget_and_outlives_the_process(
    valkey: Valkey, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    def restarted() -> Ledger:
        return new_ledger(valkey, usd_per_month=10)

    kept = request(cache_digest="0" * 64, cost_nanousd=0)
    first = restarted()
    await first.reserve(kept, FREE)
    first.settle(kept, answer=b"kept")
    await first.drained()
    for usd, step, state, limit in (
        (4.9, Step.NORMAL, "go", ""),
        (0.1, Step.ALERT, "go", ""),
        (3, Step.CHEAPER, "go", ""),
        (1, Step.SHORTER, "go", ""),
        (0.5, Step.CACHE_ONLY, "refused", "ladder_cache_only"),
    ):
        await spend(restarted(), usd)
        ledger = restarted()
        verdict = await ledger.reserve(request(), FREE)
        assert (verdict.step, verdict.state, verdict.limit) == (step, state, limit)
        assert ledger.step() is step
    assert ledger.share() == pytest.approx(0.95)
    assert "cache_only" in capsys.readouterr().out
    assert verdict.retry_after_s == 7.5 * 86400
    hit = await ledger.reserve(request(cache_digest="0" * 64), FREE)
    assert (hit.state, hit.body) == ("hit", b"kept")

    used_more = request()
    loose = new_ledger(valkey, "")
    await loose.reserve(used_more, FREE)
    loose.settle(used_more, cost_nanousd=USD)
    await loose.drained()
    stopped = await restarted().reserve(request(cache_digest="0" * 64), FREE)
    assert (stopped.step, stopped.limit) == (Step.STOP, "ladder_stop")
    await clock.set(NOON + 8 * 86400)
    assert (await restarted().reserve(request(), FREE)).step is Step.NORMAL
