"""What requests really used, on its way to Valkey: at once when nothing is under way, else together with the next."""

from __future__ import annotations

import asyncio
import time
from collections import deque

from app import log
from app.limits import Limits
from app.reservation import Reservation
from app.script import SETTLE
from app.valkey import Valkey

MOST_AT_ONCE, MOST_BYTES = 64, 2 * 1_048_576
MOST_WAITING = 20_000
"""What is kept while Valkey is away; beyond it the newest are given up."""
ATTEMPTS = 5
NO_LIMITS = Limits().packed


class Settlement:
    """One request's end."""

    __slots__ = ("answer", "attempts", "how", "numbers", "reservation")

    def __init__(self, reservation: Reservation, how: str, numbers: bytes, answer: bytes = b"") -> None:
        self.reservation = reservation
        self.how = how
        self.numbers = numbers
        self.answer = answer
        self.attempts = 0

    def arguments(self) -> tuple[str | bytes, ...]:
        asked = self.reservation
        record = self.numbers + f"{self.how} {asked.keep} {asked.model} {asked.feature}".encode()
        return asked.hold, asked.limits.packed if asked.limits else NO_LIMITS, record, asked.cache_key, self.answer


class Settlements:
    """A queue that empties itself. While a call is under way the others gather, so that a busy process makes few of them."""

    def __init__(self, valkey: Valkey, stage: bytes, hold_s: float) -> None:
        self._valkey = valkey
        self._stage = stage
        self._hold_s = hold_s
        self._waiting: deque[Settlement] = deque()
        self._sender: asyncio.Task[None] | None = None
        valkey.when_up.append(self._begin)

    def add(self, settlement: Settlement) -> None:
        if not self._valkey.up:
            settlement.answer = b""  # it could wait for long, and an answer is large
        self._queue(settlement)
        self._begin()

    async def drained(self) -> None:
        """Wait until all that is waiting was sent, or cannot be sent now."""
        if self._sender:
            await asyncio.wait([self._sender])

    def _begin(self) -> None:
        if self._waiting and self._valkey.up and (self._sender is None or self._sender.done()):
            self._sender = asyncio.get_running_loop().create_task(self._send())

    def _queue(self, settlement: Settlement) -> None:
        if len(self._waiting) < MOST_WAITING and settlement.attempts < ATTEMPTS:
            self._waiting.append(settlement)
        elif self._valkey.url:
            log.error("settlement_lost", request_id=settlement.reservation.id, fix="what this request used is not counted; check Valkey")

    async def _send(self) -> None:
        while self._waiting and self._valkey.up:
            batch: list[Settlement] = []
            size = 0
            while self._waiting and len(batch) < MOST_AT_ONCE and size < MOST_BYTES:
                batch.append(self._waiting.popleft())
                size += len(batch[-1].answer)
            arguments: list[str | bytes] = [self._stage]
            for settlement in batch:
                arguments += settlement.arguments()
            if await self._valkey.run(SETTLE, arguments) is None:
                self._again(batch)

    def _again(self, batch: list[Settlement]) -> None:
        """Keep for another attempt, without the answers. Should Valkey have got them, their holds are gone, and they do not count twice."""
        now = time.monotonic()
        for settlement in batch:
            settlement.answer = b""
            settlement.attempts += 1
            if settlement.how in {"held", "again"}:
                lapsed = now - settlement.reservation.reserved_at > self._hold_s
                settlement.how = "held" if lapsed else "again"  # a hold that has lapsed says nothing
            self._queue(settlement)
