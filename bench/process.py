"""A process under measurement, with the CPU time and the memory of all that it started."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.errors import BenchError

ROOT = Path(__file__).absolute().parent.parent
READY_S = 60  # LiteLLM needs twelve, and more on a busy machine
STOP_S = 5
POLL_S = 0.002
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_KB = 1024
SESSION, UTIME, STIME = 3, 11, 12
"""Columns of /proc/<pid>/stat, counted from the one after the command's name."""


class Process:
    """A child in a session of its own, by which it and all that it starts are found, measured and stopped."""

    def __init__(self, name: str, command: list[str], folder: Path, environment: dict[str, str] | None = None) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        self._began = time.perf_counter()
        with self._log.open("wb") as log:
            options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": subprocess.STDOUT, "cwd": ROOT}
            try:
                self._child = subprocess.Popen(command, env=environment, start_new_session=True, **options)
            except FileNotFoundError:
                raise BenchError(f"{name} does not start: {command[0]} is not there") from None
        self.pid = self._child.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(STOP_S)

    def until(self, ready: Callable[[], bool]) -> float:
        """Wait until it is ready; the seconds since the process was started.

        Raises:
            BenchError: it ended or never was; the message has the last line of its log.
        """
        while time.perf_counter() - self._began < READY_S and self._child.poll() is None:
            if ready():
                return time.perf_counter() - self._began
            time.sleep(POLL_S)
        lines = self._log.read_text(errors="replace").strip().splitlines()
        raise BenchError(f"{self.name} does not start: {lines[-1][:500] if lines else 'it gave no reason'}")

    def rss_mb(self) -> float:
        """Resident memory now."""
        return memory_mb(self.pid, "VmRSS")

    def peak_mb(self) -> float:
        """The most resident memory that there ever was."""
        return memory_mb(self.pid, "VmHWM")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers(port: int, path: str, headers: Mapping[str, str] | None = None, text: str | None = None) -> bool:
    """Whether a request, a POST if it has a body, is answered with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=READY_S)
    try:
        connection.request("GET" if text is None else "POST", path, text, {**(headers or {}), "content-type": "application/json"})
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def cpu_s(session: int) -> float:
    """CPU time, in user space and kernel, of all processes of a session, their threads included."""
    return sum(int(stat[UTIME]) + int(stat[STIME]) for _, stat in _members(session)) / _TICKS_PER_S


def memory_mb(session: int, field: str) -> float:
    """A figure of /proc/<pid>/status over all processes of a session."""
    total = 0
    for process, _ in _members(session):
        with contextlib.suppress(OSError):
            lines = (process / "status").read_text().splitlines()
            total += next((int(line.split()[1]) for line in lines if line.startswith(field)), 0)
    return total / _KB


def _members(session: int) -> list[tuple[Path, list[str]]]:
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):  # it has just ended
                stat = (process / "stat").read_text().rpartition(")")[2].split()
                if int(stat[SESSION]) == session:
                    found.append((process, stat))
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
