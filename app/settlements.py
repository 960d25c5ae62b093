"""What requests really used, on its way to Valkey; while that is away, it waits here."""

from __future__ import annotations

import time
from collections import deque
from operator import add

from app import log
from app.limits import Limits
from app.reservation import NONE, Reservation
from app.rows import BOOKED
from app.valkey import Valkey

MOST_AT_ONCE, MOST_BYTES = 64, 2 * 1_048_576
MOST_WAITING = 20_000
"""What is kept while Valkey is away; beyond it the newest are given up."""
ATTEMPTS = 5
NO_LIMITS = Limits().packed


class Settlement:
    """One request's end, or those of several that are booked alike; `numbers` are as in `rows.BOOKED`."""

    __slots__ = ("answer", "attempts", "how", "numbers", "reservation")

    def __init__(self, reservation: Reservation, how: str, numbers: tuple[int, ...], answer: bytes = b"") -> None:
        self.reservation = reservation
        self.how = how
        self.numbers = numbers
        self.answer = answer
        self.attempts = 0

    def arguments(self) -> tuple[bytes, bytes]:
        asked = self.reservation
        limits = asked.limits.packed if asked.limits else NO_LIMITS
        text = f"{asked.hold} {self.how} {asked.keep} {asked.model} {asked.feature} {asked.cache_key or NONE}"
        return b"".join((limits, BOOKED.pack(*self.numbers), text.encode())), self.answer

    def takes(self, other: Settlement) -> bool:
        """Whether it now stands for the other one, too: nothing is held for either, and both are booked in the same place."""
        if not self.how == other.how == "local" or self.answer or other.answer or self.attempts or other.attempts:
            return False
        ours, theirs = self.reservation, other.reservation
        if ours.client != theirs.client or ours.model != theirs.model or ours.feature != theirs.feature or ours.limits is not theirs.limits:
            return False
        self.numbers = tuple(map(add, self.numbers, other.numbers))
        return True


class Settlements:
    """A queue: what could not be sent is sent again, and counts once."""

    def __init__(self, valkey: Valkey, hold_s: float) -> None:
        self._valkey = valkey
        self._hold_s = hold_s
        self._waiting: deque[Settlement] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, settlement: Settlement) -> None:
        if not self._valkey.up:
            settlement.answer = b""  # it could wait for long, and an answer is large
        if self._waiting and self._waiting[-1].takes(settlement):
            return
        if len(self._waiting) < MOST_WAITING and settlement.attempts < ATTEMPTS:
            self._waiting.append(settlement)
        elif self._valkey.url:
            log.error("settlement_lost", request_id=settlement.reservation.id, fix="what this request used is not counted; check Valkey")

    def take(self) -> list[Settlement]:
        """The oldest, as many as go into one call."""
        taken: list[Settlement] = []
        size = 0
        while self._waiting and len(taken) < MOST_AT_ONCE and size < MOST_BYTES:
            taken.append(self._waiting.popleft())
            size += len(taken[-1].answer)
        return taken

    def again(self, settlements: list[Settlement]) -> None:
        """Keep for another attempt, without the answers. Should Valkey have got them, their holds are gone, and they do not count twice."""
        now = time.monotonic()
        for settlement in settlements:
            settlement.answer = b""
            settlement.attempts += 1
            if settlement.how in {"held", "again"}:
                lapsed = now - settlement.reservation.reserved_at > self._hold_s
                settlement.how = "held" if lapsed else "again"  # a hold that has lapsed says nothing
            self.add(settlement)
