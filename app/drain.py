"""Leaving without cutting anybody off: what happens between SIGTERM and the end of the process."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType

from app import log

ACCEPT_SHARE = 0.5
"""Share of the drain time in which new requests are still accepted while older ones run; the server stops accepting after it."""


class Drain:
    """Counts the requests in flight, and holds the server's own shutdown back while there are any.

    On SIGTERM `draining` is set at once, which `/readyz` shows and every answer tells by closing its connection. With nothing running the
    server shuts down now; otherwise when the last request has ended or, at the latest, after the share above: from then on the server
    accepts nothing new and gives the running ones the rest of the drain time.
    """

    def __init__(self, drain_s: float) -> None:
        self.draining = False
        self.running = 0
        self._drain_s = drain_s
        self._idle = asyncio.Event()
        self._leaving: asyncio.Task[None] | None = None

    def enter(self) -> None:
        self.running += 1

    def leave(self) -> None:
        self.running -= 1
        if self.draining and not self.running:
            self._idle.set()

    def install(self) -> None:
        """Come before the server's own handler of SIGTERM; call it on the running loop, after the server has set its handler."""
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        leave = signal.getsignal(signal.SIGTERM)
        if not callable(leave):
            return

        def on_sigterm(number: int, frame: FrameType | None) -> None:
            def begin() -> None:
                self._leaving = self._leaving or loop.create_task(self._hold(lambda: leave(number, frame)))

            self.draining = True
            loop.call_soon_threadsafe(begin)

        signal.signal(signal.SIGTERM, on_sigterm)

    async def _hold(self, leave: Callable[[], object]) -> None:
        log.info("draining", running=self.running)
        try:
            async with asyncio.timeout(self._drain_s * ACCEPT_SHARE):
                if self.running:
                    await self._idle.wait()
        except TimeoutError:
            log.info("draining_closed", running=self.running)
        leave()
