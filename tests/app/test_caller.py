"""The caller who waits: what ends the waiting, and what is left of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from starlette.types import Message, Receive

from app.caller import Caller
from app.errors import CallerGoneError


def hangs_up(when: asyncio.Event, asked: Callable[[], None] = lambda: None) -> Receive:
    async def receive() -> Message:
        asked()
        await when.wait()
        return {"type": "http.disconnect"}

    return receive


def later(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_who_hangs_up_ends_what_runs() -> None:
    gone = asyncio.Event()
    asyncio.get_running_loop().call_soon(gone.set)
    with pytest.raises(CallerGoneError):
        async with Caller(hangs_up(gone), later(60)):
            await asyncio.sleep(60)


async def test_who_had_gone_before_it_was_watched_is_noticed() -> None:
    gone = asyncio.Event()
    gone.set()
    with pytest.raises(CallerGoneError):
        async with Caller(hangs_up(gone), later(60)):
            await asyncio.sleep(60)


@pytest.mark.parametrize("watched", [True, False])
@pytest.mark.parametrize("seconds", [0, 0.005, 0.05])
async def test_the_deadline_ends_what_runs(seconds: float, watched: bool) -> None:  # noqa: FBT001  a parameter
    with pytest.raises(TimeoutError):
        async with Caller(hangs_up(asyncio.Event()), later(seconds), watched=watched):
            await asyncio.sleep(60)
    await asyncio.sleep(0)  # no cancellation is left over


async def test_what_is_answered_at_once_is_not_watched() -> None:
    asked: list[None] = []
    async with Caller(hangs_up(asyncio.Event(), lambda: asked.append(None)), later(60)):
        await asyncio.sleep(0)
    assert not asked
    assert len(asyncio.all_tasks()) == 1


async def test_what_the_caller_sends_is_left_to_who_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.caller.SOON_S", 0)
    asked: list[None] = []
    async with Caller(hangs_up(asyncio.Event(), lambda: asked.append(None)), later(60), watched=False):
        await asyncio.sleep(0.01)
    assert not asked


async def test_what_ended_in_the_same_moment_leaves_no_cancellation_behind() -> None:
    caller = Caller(hangs_up(asyncio.Event()), later(60))
    with pytest.raises(TimeoutError):
        async with caller:
            caller._end(TimeoutError)  # and nothing inside waits any more
    await asyncio.sleep(0)


async def test_another_cancellation_goes_through() -> None:
    async def wait() -> None:
        async with Caller(hangs_up(asyncio.Event()), later(60)):
            await asyncio.sleep(60)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
