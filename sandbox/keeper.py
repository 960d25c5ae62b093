"""Takes child processes down with this one, even when this one is killed.

Children run in sessions of their own, so that Ctrl-C reaches only the sandbox, which then stops them in order. A small keeper
process holds the other end of a pipe and the list of children: when the pipe closes, for whatever reason, it kills them and what they
started. That holds on Linux and macOS alike; Linux's parent-death signal neither exists elsewhere nor reaches grandchildren.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys

KEEPER = """
import os, signal, sys
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
"""


class Keeper:
    """`watch` each child that was started with `start_new_session=True`, `forget` it once it is gone."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", "-c", KEEPER),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, pid: int) -> None:
        self._tell(f"+{pid}")

    def forget(self, pid: int) -> None:
        """The child has ended: end what it left behind as well."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        self._tell(f"-{pid}")

    async def stop(self) -> None:
        if self._process and self._process.stdin:
            self._process.stdin.close()
            await self._process.wait()
            self._process = None

    def _tell(self, text: str) -> None:
        if self._process and self._process.stdin:
            self._process.stdin.write(f"{text}\n".encode())
