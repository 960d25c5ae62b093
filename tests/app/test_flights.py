"""Single flight: equal requests at the same time share one answer, and none depends on another's patience."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from hypothesis import given, strategies as st

from app.errors import UnavailableError, UpstreamError
from app.flights import KEPT_BYTES, Flights


class Tap:
    """An answer that the test lets out chunk by chunk."""

    def __init__(self) -> None:
        self.chunks: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        self.fetching = asyncio.Event()
        self.closed = 0

    async def chunk(self) -> bytes:
        self.fetching.set()
        item = await self.chunks.get()
        if isinstance(item, Exception):
            raise item
        return item

    async def close(self) -> None:
        self.closed += 1

    def give(self, *items: bytes | Exception) -> None:
        for item in items:
            self.chunks.put_nowait(item)


class Reader:
    """Reads in a task of its own."""

    def __init__(self, flights: Flights[Tap], tap: Tap | None = None) -> None:
        self.got: list[bytes] = []
        self.began = False
        self.task = asyncio.create_task(self._read(flights, tap or Tap()))

    async def _read(self, flights: Flights[Tap], tap: Tap) -> bytes:
        flight, self.began = flights.join("k", lambda: tap)
        async with aclosing(flight.read()) as chunks:
            async for chunk in chunks:
                self.got.append(chunk)
        return b"".join(self.got)

    async def hang_up(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def settle() -> None:
    """Let every task run as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_equal_requests_share_one_source() -> None:
    flights: Flights[Tap] = Flights()
    tap, other = Tap(), Tap()
    readers = [Reader(flights, tap), *(Reader(flights, other) for _ in range(2))]
    await settle()
    assert [reader.began for reader in readers] == [True, False, False]
    tap.give(b"a")
    await settle()
    assert [reader.got for reader in readers] == [[b"a"]] * 3, "as it arrives"
    readers.append(Reader(flights, other))
    tap.give(b"b", b"c", b"")
    assert await asyncio.gather(*(reader.task for reader in readers)) == [b"abc"] * 4
    assert (tap.closed, other.fetching.is_set(), len(flights)) == (1, False, 0)


async def test_other_requests_have_sources_of_their_own() -> None:
    flights: Flights[Tap] = Flights()
    one, two = flights.join("k", Tap)[0], flights.join("l", Tap)[0]
    assert (one is two, len(flights), "k" in flights, flights.get("l")) == (False, 2, True, two)


@pytest.mark.parametrize("leaver", [0, 1, 2])
async def test_whoever_hangs_up_stops_nobody_else(leaver: int) -> None:
    flights: Flights[Tap] = Flights()
    tap = Tap()
    readers = [Reader(flights, tap) for _ in range(3)]
    await settle()
    tap.give(b"a")
    await settle()
    await readers.pop(leaver).hang_up()
    tap.give(b"b", b"")
    assert await asyncio.gather(*(reader.task for reader in readers)) == [b"ab"] * 2
    assert tap.closed == 1


async def test_when_nobody_listens_any_more_the_source_is_closed() -> None:
    flights: Flights[Tap] = Flights()
    tap = Tap()
    readers = [Reader(flights, tap) for _ in range(2)]
    await settle()
    for reader in readers:
        assert tap.closed == 0
        await reader.hang_up()
    assert (tap.closed, len(flights)) == (1, 0)


async def test_what_was_given_up_is_never_an_empty_answer() -> None:
    flights: Flights[Tap] = Flights()
    reader = Reader(flights)
    await settle()
    late, _ = flights.join("k", Tap)
    await reader.hang_up()
    with pytest.raises(UnavailableError) as caught:
        await anext(late.read())
    assert caught.value.code == "abandoned"


async def test_a_failure_is_everybodys() -> None:
    flights: Flights[Tap] = Flights()
    tap = Tap()
    readers = [Reader(flights, tap) for _ in range(2)]
    await settle()
    tap.give(b"a")
    await settle()
    tap.give(UpstreamError("cut"))
    failures = await asyncio.gather(*(reader.task for reader in readers), return_exceptions=True)
    assert [type(failure) for failure in failures] == [UpstreamError] * 2
    assert [reader.got for reader in readers] == [[b"a"]] * 2
    assert (tap.closed, len(flights)) == (1, 0)


async def test_a_reader_that_stands_still_stops_nobody_and_nothing_is_fetched_that_nobody_wants() -> None:
    flights: Flights[Tap] = Flights()
    tap = Tap()
    tap.give(b"a", b"b", b"c", b"")
    async with aclosing(flights.join("k", lambda: tap)[0].read()) as slow:
        assert await anext(slow) == b"a"
        await settle()
        assert tap.chunks.qsize() == 3
        assert await Reader(flights).task == b"abc"
        assert [chunk async for chunk in slow] == [b"bc"]


async def test_memory_is_bounded_and_who_falls_behind_is_told() -> None:
    flights: Flights[Tap] = Flights()
    tap = Tap()
    block = b"x" * (KEPT_BYTES // 4)
    tap.give(*[block] * 12, b"")
    flight, _ = flights.join("k", lambda: tap)
    async with aclosing(flight.read()) as slow:
        assert await anext(slow) == block
        assert await Reader(flights).task == block * 12
        assert sum(len(chunk) for chunk in flight._chunks) <= KEPT_BYTES
        assert len(flights) == 0, "its beginning is gone: nobody can join"
        with pytest.raises(UnavailableError, match="too slowly"):
            await anext(slow)


@given(st.lists(st.sampled_from(["join", "give", "leave", "run"]), max_size=30), st.integers(1, 5))
def test_every_reader_gets_the_whole_answer_in_order(steps: list[str], rest: int) -> None:
    async def play() -> None:
        flights: Flights[Tap] = Flights()
        tap = Tap()
        readers = [Reader(flights, tap)]
        given_ = 0
        await settle()
        for step in steps:
            if step == "join":
                readers.append(Reader(flights, tap))
                await asyncio.sleep(0)
            elif step == "give":
                tap.give(b"%d " % given_)
                given_ += 1
            elif step == "leave" and len(readers) > 1:
                await readers.pop(0).hang_up()
            else:
                await settle()
        tap.give(*(b"%d " % number for number in range(given_, given_ + rest)), b"")
        expected = b"".join(b"%d " % number for number in range(given_ + rest))
        assert await asyncio.gather(*(reader.task for reader in readers)) == [expected] * len(readers)
        assert (tap.closed, len(flights)) == (1, 0)

    asyncio.run(play())
