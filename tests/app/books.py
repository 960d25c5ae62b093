"""A ledger for tests: over a real Valkey, and with a server's clock that stands until it is moved."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from app.ledger import Ledger
from app.limits import NANOUSD, Ladder, Limits
from app.reservation import Reservation
from app.script import LEDGER
from app.valkey import Valkey

LADDER = "0.5:alert,0.8:cheaper,0.9:shorter,0.95:cache,1:stop"
FREE = Limits()
USD = NANOUSD
NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC).timestamp()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Valkey]:
    valkey = Valkey(url)
    valkey.start()
    try:
        await valkey.first_attempt.wait()
        assert valkey.up
        yield valkey
    finally:
        await valkey.close()


def new_ledger(valkey: Valkey, ladder: str = LADDER, *, longest_s: float = 600, **stage: Any) -> Ledger:
    return Ledger(valkey, Limits(**stage), Ladder.parse(ladder), longest_s)


def request(client: str = "web", **values: Any) -> Reservation:
    """A request; with a digest, one whose answer may be kept."""
    if "cache_digest" in values:
        values.setdefault("keep", 60)
    return Reservation("req_1", client, values.pop("model", "gpt-5-mini"), **values)


class Clock:
    """The server's time in the ledger's script, which then reads it from a key: all else in it is as it is deployed."""

    KEY = "test:time"

    def __init__(self, valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
        self._valkey = valkey
        assert "redis.call('TIME')" in LEDGER
        monkeypatch.setattr("app.calls.LEDGER", LEDGER.replace("redis.call('TIME')", f"redis.call('LRANGE', '{self.KEY}', 0, 1)"))

    async def set(self, seconds: float) -> None:
        await self._valkey.command("DEL", self.KEY)
        await self._valkey.command("RPUSH", self.KEY, str(int(seconds)), str(round(seconds % 1 * 1e6)))


@pytest.fixture
async def valkey(valkey_url: str) -> AsyncIterator[Valkey]:
    async with connected(valkey_url) as connection:
        await connection.command("FLUSHALL")
        yield connection


@pytest.fixture
async def clock(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(valkey, monkeypatch)
    await clock.set(NOON)
    return clock


async def spend(ledger: Ledger, usd: float, client: str = "web") -> None:
    asked = request(client, cost_nanousd=int(usd * USD))
    assert (await ledger.reserve(asked, FREE)).state == "go"
    ledger.settle(asked, cost_nanousd=int(usd * USD))
    await ledger.drained()
