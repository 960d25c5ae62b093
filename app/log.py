"""Log lines: JSON on standard output, one object a line, never with a prompt, an answer or a key; what looks like one is taken out."""

from __future__ import annotations

import asyncio
import atexit
import logging
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from app.json_bytes import encode
from app.redact import redact, suspicious

GATHER_S = 0.01
"""How long a line that is no warning waits for others: a busy process writes many at once."""
_base: dict[str, str] = {}
_waiting: deque[bytes] = deque()
_gatherer: tuple[asyncio.AbstractEventLoop, int] | None = None
_second, _second_text = 0, ""


def configure(stage: str) -> None:
    """Name the stage in every line from now on, and let libraries' warnings come out as such lines too."""
    _base["stage"] = stage
    logging.basicConfig(handlers=[_Lines()], level=logging.WARNING)


@contextmanager
def gathered() -> Iterator[None]:
    """Inside, lines of the event loop that are no warnings wait a moment for others. Who is killed loses those of the last moment."""
    global _gatherer  # noqa: PLW0603  there is one log, as there is one standard output
    atexit.register(flush)
    _gatherer = asyncio.get_running_loop(), threading.get_ident()
    try:
        yield
    finally:
        _gatherer = None
        flush()


def write(level: str, event: str, fields: Mapping[str, Any]) -> None:
    """Write one line; fields that are None are left out. Lines keep their order."""
    line: dict[str, Any] = {"time": _now(), "level": level, "event": event, **_base}
    texts: list[str] = []
    for name, value in fields.items():
        if value is not None:
            line[name] = value
            if type(value) is str:
                texts.append(value)
    if suspicious("\n".join(texts)):
        line.update({name: redact(value) for name, value in fields.items() if type(value) is str})
    _waiting.append(encode(line))
    gatherer = _gatherer  # another thread may be here while it ends
    if not (level == "info" and gatherer and gatherer[1] == threading.get_ident()):
        flush()
    elif len(_waiting) == 1:  # the first sees to the others
        gatherer[0].call_later(GATHER_S, flush)


def flush() -> None:
    """Write what waits."""
    lines: list[bytes] = []
    with suppress(IndexError):
        while True:
            lines.append(_waiting.popleft())
    if lines:
        with suppress(OSError, ValueError):  # a log that nobody reads any more is no reason to fail
            sys.stdout.buffer.write(b"\n".join((*lines, b"")))
            sys.stdout.buffer.flush()


def info(event: str, **fields: Any) -> None:
    write("info", event, fields)


def warning(event: str, **fields: Any) -> None:
    write("warning", event, fields)


def error(event: str, **fields: Any) -> None:
    write("error", event, fields)


def where(failure: BaseException) -> dict[str, Any]:
    """What failed and where, without the failure's own text: that may hold anything."""
    frames = traceback.extract_tb(failure.__traceback__)[-8:]
    return {"exception": type(failure).__name__, "frames": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]}


def _now() -> str:
    """The time as datetime's isoformat writes it, of which only the milliseconds change often."""
    global _second, _second_text
    now = time.time()
    second = int(now)
    if second != _second:
        _second, _second_text = second, datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
    return f"{_second_text}{int((now - second) * 1000):03d}+00:00"


class _Lines(logging.Handler):
    """The standard library's log records as lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        failure = record.exc_info[1] if record.exc_info else None
        fields = {"logger": record.name, "message": str(record.msg)}
        write(record.levelname.lower(), "log", fields | (where(failure) if failure else {}))
