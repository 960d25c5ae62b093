"""The ledger's calls of Valkey: what requests ask at about the same time is one call, and what others used travels with it."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from app.limits import Limits
from app.reservation import NONE, Reservation
from app.script import LEDGER
from app.settlements import Settlement, Settlements
from app.valkey import Valkey

MOST_AT_ONCE = 64
"""Most requests that ask in one call: so many take Valkey some two milliseconds."""
WAIT_S = 0.001
"""How long what was used, and an answer to keep, waits for a request to travel with: less than a caller takes to ask another task again."""
GO, HIT = 0, 1
_NOTHING = (0,) * 9


class Found(NamedTuple):
    """What the script says about a request: the ladder's step, the stage's nano-dollars of this month, and the request's own list."""

    step: int
    spent_nanousd: int
    own: list[Any]


Asking = list[tuple[Reservation, Limits, "asyncio.Future[Found | None]"]]


class Calls:
    """While a call is under way the next requests gather: a busy process makes few calls, and an idle one lets nobody wait.

    What was used waits a moment for a request to travel with, and else goes by itself, which no request waits for.

    `head` is the script's first argument, and `hold_s` the time that a hold lasts.
    """

    def __init__(self, valkey: Valkey, head: bytes, hold_s: float) -> None:
        self._valkey = valkey
        self._head = head
        self._asking: Asking = []
        self._settlements = Settlements(valkey, hold_s)
        self._asker: asyncio.Task[None] | None = None
        self._settler: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        valkey.when_up.append(self._send_rest)

    def reserve(self, asked: Reservation, limits: Limits) -> asyncio.Future[Found | None]:
        """What the script says, None when Valkey does not answer in time: then nothing stays held.

        Nor does it for who stops waiting, which does not concern the others in the same call.
        """
        future: asyncio.Future[Found | None] = asyncio.get_running_loop().create_future()
        self._asking.append((asked, limits, future))
        if _ended(self._asker):
            self._asker = asyncio.get_running_loop().create_task(self._ask())
        return future

    def settle(self, settlement: Settlement) -> None:
        self._settlements.add(settlement)
        self._later()

    def void(self, asked: Reservation) -> None:
        """Give back what is held, if it is."""
        given_up = Reservation(asked.id, asked.client, asked.model)
        given_up.hold, given_up.limits, given_up.reserved_at = asked.hold, asked.limits, asked.reserved_at
        self.settle(Settlement(given_up, "void", _NOTHING))

    async def drained(self) -> None:
        """Wait until all that was settled before is in Valkey, as far as it is there."""
        self._send_rest()
        while running := [task for task in (self._asker, self._settler) if task and not task.done()]:
            await asyncio.wait(running)
            self._send_rest()

    def _later(self) -> None:
        if self._timer is None and self._valkey.up:
            self._timer = asyncio.get_running_loop().call_later(WAIT_S, self._send_rest)

    def _send_rest(self) -> None:
        """Send what found no request to travel with, once none asks."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._settlements and self._valkey.up:
            if _ended(self._asker) and _ended(self._settler):
                self._settler = asyncio.get_running_loop().create_task(self._settle())
            else:
                self._later()

    async def _ask(self) -> None:
        while self._asking:
            asking, self._asking = self._asking[:MOST_AT_ONCE], self._asking[MOST_AT_ONCE:]
            asking = [each for each in asking if not each[2].done()]  # less those that hung up
            await self._call(asking, self._settlements.take())

    async def _settle(self) -> None:
        while self._settlements and self._valkey.up:
            await self._call([], self._settlements.take())

    async def _call(self, asking: Asking, settled: list[Settlement]) -> None:
        arguments: list[str | bytes] = [self._head, str(len(settled))]
        for settlement in settled:
            arguments += settlement.arguments()
        for asked, limits, _ in asking:
            text = f"{asked.hold} {asked.model} {asked.prompt_version} {asked.cache_digest or NONE} {asked.keep}"
            arguments.append(limits.packed + text.encode())
        found = await self._valkey.run(LEDGER, arguments)
        if found is None:
            self._settlements.again(settled)
        for number, (asked, _, future) in enumerate(asking, 2):
            answer = None if found is None else Found(found[0], found[1], found[number])
            if answer is None or (future.done() and answer.own[0] == GO):
                self.void(asked)
            if not future.done():
                future.set_result(answer)


def _ended(task: asyncio.Task[None] | None) -> bool:
    return task is None or task.done()
