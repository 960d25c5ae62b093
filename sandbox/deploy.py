"""Runs the Pulumi program of a stage in a process of its own: under the engine (`sandbox.engine`), or without it (`sandbox.program`).

Both print the same events, a line of JSON each: {"resource": {…}} as they come, then {"outputs": {…}} or {"error": "…"}.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Any

from sandbox.errors import SandboxError
from sandbox.stack import ROOT

IN_PROCESS = "in process"
LINE_LIMIT = 1 << 24


def engine_is_there() -> bool:
    """Whether the pulumi CLI is on PATH."""
    return shutil.which("pulumi") is not None


async def events(module: str, stage: str, overrides: Mapping[str, str], environment: Mapping[str, str]) -> AsyncIterator[dict[str, Any]]:
    """Run the program of a stage; its events as they come.

    Args:
        module: `sandbox.engine` or `sandbox.program`.
        stage: the stage whose configuration is taken.
        overrides: configuration that differs from it.
        environment: with AWS_ENDPOINT_URL resources are created there; without it they are only recorded.

    Raises:
        SandboxError: the program failed; the message is what it said.
    """
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PULUMI_"))} | dict(environment)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, stage, *(f"{key}={value}" for key, value in overrides.items()),
        cwd=ROOT, env=variables, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        limit=LINE_LIMIT, start_new_session=True,
    )  # fmt: skip
    said: deque[str] = deque(maxlen=60)
    error = ""
    try:
        assert process.stdout  # noqa: S101  it is a pipe
        async for line in process.stdout:
            event = _event(line)
            error = event.get("error", error)
            if not event:
                said.append(line.decode(errors="replace").rstrip())
            elif "error" not in event:
                yield event
        await process.wait()
    finally:
        if process.returncode is None:  # interrupted: the engine, its plugins and the program are one group
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if process.returncode:
        raise SandboxError(error or "the Pulumi program failed:\n" + "\n".join(said))


def _event(line: bytes) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) and event.keys() & {"resource", "outputs", "error"} else {}
