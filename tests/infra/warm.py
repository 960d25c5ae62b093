"""Runs the program in a fork of a process that has imported all that it needs: the imports take longer than the program does.

It is `sandbox.deploy.events` for a program that creates nothing. What a user runs has its own tests, in tests/sandbox/.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import json
import multiprocessing
import os
import pkgutil
import sys
from collections.abc import AsyncIterator, Mapping
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Any

import infra
from sandbox import program
from sandbox.errors import SandboxError

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([f"{__name__}_up"])


def imported() -> None:
    """Import the program's modules, and those of the SDK that it names, which come with the first look at them."""
    for found in pkgutil.walk_packages(infra.__path__, "infra."):
        if not found.name.endswith("__main__"):
            for value in list(vars(importlib.import_module(found.name)).values()):
                if isinstance(value, ModuleType):
                    getattr(value, "first_look", None)
    gc.collect()
    gc.freeze()


async def events(_module: str, stage: str, overrides: Mapping[str, str], _environment: Mapping[str, str]) -> AsyncIterator[dict[str, Any]]:
    """What the program of a stage registers and gives.

    Raises:
        SandboxError: the program failed; the message is what it said.
    """
    ours, theirs = _FORKS.Pipe(duplex=False)
    process = _FORKS.Process(target=_run, args=(theirs, stage, dict(overrides)), daemon=True)
    await asyncio.to_thread(process.start)
    theirs.close()
    error = ""
    with contextlib.suppress(EOFError):
        while True:
            event = json.loads(await asyncio.to_thread(ours.recv_bytes))
            error = event.get("error", error)
            if "error" not in event:
                yield event
    await asyncio.to_thread(process.join)
    if process.exitcode:
        raise SandboxError(error or "the Pulumi program failed")


class _Lines:
    """Standard output whose lines go through a pipe."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def write(self, text: str) -> None:
        if text.startswith("{"):
            self._pipe.send_bytes(text.encode())

    def flush(self) -> None:
        return None


def _run(pipe: Connection, stage: str, overrides: dict[str, str]) -> None:
    gc.disable()  # it would take as long as the program
    for name in [name for name in os.environ if name.startswith(("AWS_", "PULUMI_"))]:
        del os.environ[name]
    sys.stdout = _Lines(pipe)  # all that the program uses of it
    sys.exit(program.main([stage, *(f"{key}={value}" for key, value in overrides.items())]))
