"""Valkey, as far as it is there: slow or gone, it is skipped until it answers again, and no request fails for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from app import log

if TYPE_CHECKING:
    from glide import GlideClient

TIMEOUT_S = 0.25
"""Longest time that Valkey may add to a request."""
CONNECT_S = 2.0
"""Longest time that a connection, with TLS and a signed token, may take; no request waits for it."""
PROBE_S = 1.0
"""Pause between two attempts to reach a Valkey that does not answer."""
PATIENCE = 10
"""Failed attempts after which the client is made anew: its own reconnection can get stuck on a token that has run out."""


class Valkey:
    """A connection that is kept up in the background.

    One command that fails or is late takes it down, so that the next requests wait for nothing; a probe in the background, which no
    request waits for, brings it up again.
    """

    def __init__(self, url: str, iam_cluster: str = "") -> None:
        self.up = False
        self.first_attempt = asyncio.Event()
        self.url = url
        self.when_up: list[Callable[[], None]] = []
        """Called, on the loop, each time that it is there again."""
        self._iam_cluster = iam_cluster
        self._glide: Any = None
        self._client: GlideClient | None = None
        self._scripts: dict[str, Any] = {}
        self._down = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._keeper = asyncio.create_task(self._keep())

    async def run(self, script: str, arguments: list[str | bytes]) -> Any | None:
        """What a script gives, which is never None; None when Valkey does not answer in time. The time limit is the connection's own."""
        if not self.up or self._client is None:
            return None
        try:
            loaded = self._scripts.get(script)
            if loaded is None:
                loaded = self._scripts[script] = self._glide.Script(script)
            return await self._client.invoke_script(loaded, args=arguments)
        except Exception as failure:  # noqa: BLE001  glide's errors and timeouts: all mean the same here
            self._lost(failure)
            return None

    async def command(self, *words: str) -> Any | None:
        """What a command gives, off the path of requests; None as above, and where the answer is none."""
        if not self.up or self._client is None:
            return None
        try:
            return await self._client.custom_command([*words])
        except Exception as failure:  # noqa: BLE001  as above
            self._lost(failure)
            return None

    async def close(self) -> None:
        if self._keeper:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        await self._disconnect()

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client:
            with contextlib.suppress(Exception):
                await client.close()

    def _lost(self, failure: Exception) -> None:
        if self.up:
            self.up = False
            self._down.set()
            log.warning(
                "valkey_lost",
                exception=type(failure).__name__,
                fix="no cache, limits are estimated, budgets are closed; check Valkey's health",
            )

    async def _keep(self) -> None:
        self._glide = await asyncio.to_thread(import_module, "app.glide_client")
        failed = 0
        while True:
            try:
                await self._probe()
            except Exception as failure:  # noqa: BLE001  as above
                if not self.first_attempt.is_set():
                    fix = (
                        "no cache, limits are estimated, budgets are closed; check GATEWAY_CACHE_URL, the security groups and Valkey's user"
                    )
                    log.warning("valkey_unreachable", exception=type(failure).__name__, fix=fix)
                    self.first_attempt.set()
                failed += 1
                if failed % PATIENCE == 0:
                    await self._disconnect()
                await asyncio.sleep(PROBE_S)
                continue
            failed = 0
            self._down.clear()
            self.up = True
            log.info("valkey_connected")
            self.first_attempt.set()
            for call in self.when_up:
                call()
            await self._down.wait()
            await asyncio.sleep(PROBE_S)

    async def _probe(self) -> None:
        if self._client is None:
            self._client = await self._glide.connect(self.url, self._iam_cluster, TIMEOUT_S)
        async with asyncio.timeout(CONNECT_S):
            await self._client.ping()
