"""What a process does for its speed, and that it may: what looks for unreachable objects less often must leave few of them."""

from __future__ import annotations

import gc

import pytest

from app.serving import THRESHOLDS, serving
from tests.app.conftest import Gateway, Start, question

OURS = (
    "app.access",
    "app.endpoint",
    "app.exchange",
    "app.fetch",
    "app.flights",
    "app.job",
    "app.reservation",
    "app.upstream",
    "app.caller",
)


async def test_all_is_as_before_when_it_ends() -> None:
    before = gc.get_threshold()
    with serving():
        assert gc.get_threshold() == THRESHOLDS
        assert gc.get_freeze_count()
    assert gc.get_threshold() == before
    assert not gc.get_freeze_count()


@pytest.mark.usefixtures("connected")
async def test_a_request_leaves_nothing_that_only_the_collector_finds(start: Start, valkey_url: str) -> None:
    """Its body and its answer would stay in memory until then."""

    async def ask(gateway: Gateway, number: int) -> None:
        for stream in (False, True):
            async with gateway.post(question(f"number {number}", stream=stream)) as response:
                await response.read()

    gateway = await start(cache_url=valkey_url)
    await ask(gateway, 0)
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for number in range(1, 6):
            await ask(gateway, number)
        gc.collect()
        left = [type(each).__name__ for each in gc.garbage if type(each).__module__ in OURS]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert left == []
