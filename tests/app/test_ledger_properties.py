"""No interleaving of requests gets more than a limit allows: the algorithm in memory, the script against it, and many tasks at once."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from app.estimate import Estimate
from app.limits import Limits
from app.reservation import Reservation
from app.valkey import Valkey
from tests.app.books import NOON, USD, Clock, clock, connected, new_ledger, request, valkey

__all__ = ["clock", "valkey"]  # fixtures
WITH_FIXTURES = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

CLIENT = Limits(requests_per_minute=12, tokens_per_minute=600, streams=2)
STAGE = Limits(requests_per_minute=20, tokens_per_minute=900, streams=3)
WAIT = st.sampled_from([0, 0, 1, 15, 30, 60])
RESERVE = st.tuples(st.just("reserve"), WAIT, st.sampled_from("ab"), st.sampled_from([1, 300, 600, 601]), st.booleans())
SETTLE = st.tuples(st.just("settle"), WAIT, st.integers(0, 20), st.sampled_from([0.0, 0.5, 1.0]))
MIXED = st.lists(st.one_of(RESERVE, SETTLE), max_size=20)
# Few and large ones, on which giving back wrongly shows.
LARGE = st.tuples(st.just("reserve"), st.sampled_from([0, 30, 60]), st.just("a"), st.sampled_from([300, 600]), st.just(False))
BACK = st.tuples(st.just("settle"), st.just(0), st.integers(0, 1), st.sampled_from([0.0, 0.5]))
SMALL = st.tuples(st.just("reserve"), st.just(0), st.just("a"), st.just(1), st.booleans())
STEPS = st.one_of(MIXED, *(st.lists(st.one_of(kind, BACK), min_size=4, max_size=8) for kind in (LARGE, SMALL)))
TURNS = st.one_of(
    STEPS.map(lambda steps: [(step[1], [step]) for step in steps]),
    st.lists(st.tuples(WAIT, st.one_of(STEPS, st.lists(st.one_of(LARGE, BACK), max_size=4))), max_size=6),
)
"""Steps one by one, and many of them at a time."""


class Run:
    """A sequence of steps in memory, and what was let through: when, for whom, and the tokens that it used in the end."""

    def __init__(self) -> None:
        self.now = 0.0
        self.estimate = Estimate(STAGE, lambda: self.now)
        self.open: list[tuple[Reservation, int]] = []
        self.used: list[list[Any]] = []

    def reserve(self, wait: float, asked: Reservation) -> tuple[str, float | None]:
        self.now += wait
        limit, wait_s, _ = self.estimate.reserve(asked, CLIENT)
        if not limit:
            self.open.append((asked, len(self.used)))
            self.used.append([self.now, asked.client, asked.tokens])
        return limit, wait_s

    def settle(self, wait: float, index: int, share: float) -> tuple[Reservation, int] | None:
        self.now += wait
        if not self.open:
            return None
        asked, at = self.open.pop(index % len(self.open))
        self.used[at][2] = int(asked.tokens * share)
        self.estimate.settle(asked, CLIENT, self.used[at][2])
        return asked, self.used[at][2]


def most(used: list[list[Any]], limit: int, *, tokens: bool) -> float:
    """How full a bucket of the limit got, by what was really used when it began."""
    level = fullest = last = 0.0
    for now, _, amount in used:
        level = max(0.0, level - (now - last) * limit / 60) + (amount if tokens else 1)
        fullest, last = max(fullest, level), now
    return fullest


@settings(max_examples=1000, deadline=None)
@given(steps=STEPS)
def test_what_was_used_never_exceeds_a_limit(steps: list[Any]) -> None:
    run = Run()
    for kind, *step in steps:
        if kind == "reserve":
            wait, client, tokens, stream = step
            run.reserve(wait, request(client, tokens=tokens, stream=stream))
            for name in ("a", "b"):
                assert sum(asked.stream for asked, _ in run.open if asked.client == name) <= CLIENT.streams
            assert sum(asked.stream for asked, _ in run.open) <= STAGE.streams
        else:
            run.settle(*step)
    for limits, used in ((STAGE, run.used), *((CLIENT, [use for use in run.used if use[1] == name]) for name in ("a", "b"))):
        assert most(used, limits.requests_per_minute, tokens=False) <= limits.requests_per_minute + 1e-3
        assert most(used, limits.tokens_per_minute, tokens=True) <= limits.tokens_per_minute + 1e-3


@WITH_FIXTURES
@given(turns=TURNS)
async def test_the_script_decides_as_the_algorithm_in_memory(valkey: Valkey, clock: Clock, turns: list[Any]) -> None:
    """What comes in one turn is one call, which settles before it reserves; in memory it is one after the other."""
    await valkey.command("FLUSHALL")
    run, ledger = Run(), new_ledger(valkey, longest_s=100_000, requests_per_minute=20, tokens_per_minute=900, streams=3)
    twins: dict[str, Reservation] = {}
    for wait, steps in turns:
        run.now += wait
        await clock.set(NOON + run.now)
        for _, _, *step in (step for step in steps if step[0] == "settle"):
            if settled := run.settle(0, *step):
                ledger.settle(twins[settled[0].id], tokens=settled[1])
        expected, asking = [], []
        for _, _, client, tokens, stream in (step for step in steps if step[0] == "reserve"):
            asked, twin = (Reservation(f"r{len(twins)}", client, "m", tokens=tokens, stream=stream) for _ in range(2))
            twins[asked.id] = twin
            expected.append(run.reserve(0, asked))
            asking.append(ledger.reserve(twin, CLIENT))
        for (limit, wait_s), verdict in zip(expected, await asyncio.gather(*asking), strict=True):
            assert verdict.limit == limit
            if limit:
                assert verdict.retry_after_s == (None if wait_s is None else pytest.approx(wait_s, abs=1e-4))
        await ledger.drained()


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), tasks=st.integers(2, 40))
async def test_tasks_at_the_same_time_never_exceed_a_limit(valkey: Valkey, valkey_url: str, seed: int, tasks: int) -> None:
    """Two gateways, with a connection each, in real time."""
    await valkey.command("FLUSHALL")
    chance = random.Random(seed)  # noqa: S311  a shuffle
    limits, budget = Limits(requests_per_minute=100, tokens_per_minute=2000, streams=5, usd_per_day=3), 5 * USD
    streams = {"a": 0, "b": 0}
    open_nanousd = spent = requests = tokens = 0
    began = time.monotonic()

    async def one(ledger: Any) -> None:
        nonlocal open_nanousd, spent, requests, tokens
        client = chance.choice("ab")
        for _ in range(10):
            asked = request(client, tokens=chance.randrange(100), stream=True, cost_nanousd=chance.randrange(USD))
            if (await ledger.reserve(asked, limits)).state != "go":
                continue
            streams[client] += 1
            open_nanousd += asked.cost_nanousd
            assert streams[client] <= limits.streams
            assert spent + open_nanousd <= budget
            await asyncio.sleep(chance.random() / 500)
            real, cost = chance.randint(0, asked.tokens), chance.randint(0, asked.cost_nanousd)
            streams[client] -= 1  # before it is settled: another may be let in from that moment on
            open_nanousd -= asked.cost_nanousd
            spent, requests, tokens = spent + cost, requests + 1, tokens + real
            ledger.settle(asked, tokens=real, cost_nanousd=cost)

    async with connected(valkey_url) as second:
        ledgers = [new_ledger(connection, "", usd_per_month=5) for connection in (valkey, second)]
        async with asyncio.TaskGroup() as group:
            for number in range(tasks):
                group.create_task(one(ledgers[number % 2]))
        for ledger in ledgers:
            await ledger.drained()
    minutes = (time.monotonic() - began) / 60
    assert requests <= 2 * limits.requests_per_minute * (1 + minutes)
    assert tokens <= 2 * limits.tokens_per_minute * (1 + minutes)
    found = await ledgers[0].spend("a"), await ledgers[0].spend("b")
    assert found[0]["stage_month_nanousd"] == spent == sum(each["client_day_nanousd"] for each in found)
    assert all(each["client_day_nanousd"] <= 3 * USD for each in found)
    assert await valkey.command("ZCARD", "ledger:holds") == 0
