"""The emulated AWS: moto's server, in a thread of this process, on a free loopback port."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from urllib.request import Request, urlopen

from sandbox.aws import CREDENTIALS
from sandbox.errors import SandboxError

START_TIMEOUT_S = 30
SETTINGS = {"MOTO_ACM_VALIDATION_WAIT": "1", "MOTO_ECS_SERVICE_RUNNING": "2"}
"""How long moto keeps a certificate pending (s), and after how many looks a service counts as steady."""


class AwsServer:
    """Stands for AWS: `url` is the endpoint of every service. One at a time in a process: each begins with nothing."""

    def __init__(self) -> None:
        self.url = ""
        self._server: object = None

    async def start(self) -> None:
        """Start moto.

        Raises:
            SandboxError: it does not start.
        """
        try:
            self.url = await asyncio.wait_for(asyncio.to_thread(self._start), START_TIMEOUT_S)
        except Exception as error:  # noqa: BLE001  whatever moto raises, it is one line for the person
            raise SandboxError(f"the emulated AWS (moto) does not start: {error or type(error).__name__}") from None

    def _start(self) -> str:
        os.environ.update(SETTINGS | CREDENTIALS)
        from moto.server import ThreadedMotoServer  # noqa: PLC0415  takes a second, which the other servers use

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        self._server = server
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        with urlopen(Request(f"{url}/moto-api/reset", method="POST")):  # noqa: S310  moto's accounts are this process's, whichever server
            return url

    async def stop(self) -> None:
        """Stop it."""
        stop = getattr(self._server, "stop", None)
        if stop is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.to_thread(stop), START_TIMEOUT_S)
