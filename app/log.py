"""Log lines: JSON on standard output, one object a line, never with a prompt, an answer or a key; what looks like one is taken out."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

from app.redact import redact, suspicious

_base: dict[str, str] = {}
_encode = json.JSONEncoder(default=str).encode


def configure(stage: str) -> None:
    """Name the stage in every line from now on, and let libraries' warnings come out as such lines too."""
    _base["stage"] = stage
    logging.basicConfig(handlers=[_Lines()], level=logging.WARNING)


def write(level: str, event: str, **fields: Any) -> None:
    """Write one line; fields that are None are left out."""
    line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "level": level, "event": event, **_base}
    line.update({name: value for name, value in fields.items() if value is not None})
    texts = [value for value in fields.values() if type(value) is str]
    if suspicious("\n".join(texts)):
        line.update({name: redact(value) for name, value in fields.items() if type(value) is str})
    with contextlib.suppress(OSError, ValueError):  # a log that nobody reads any more is no reason to fail
        sys.stdout.write(_encode(line) + "\n")
        sys.stdout.flush()


def info(event: str, **fields: Any) -> None:
    write("info", event, **fields)


def warning(event: str, **fields: Any) -> None:
    write("warning", event, **fields)


def error(event: str, **fields: Any) -> None:
    write("error", event, **fields)


def where(failure: BaseException) -> dict[str, Any]:
    """What failed and where, without the failure's own text: that may hold anything."""
    frames = traceback.extract_tb(failure.__traceback__)[-8:]
    return {"exception": type(failure).__name__, "frames": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]}


class _Lines(logging.Handler):
    """The standard library's log records as lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        failure = record.exc_info[1] if record.exc_info else None
        write(record.levelname.lower(), "log", logger=record.name, message=str(record.msg), **(where(failure) if failure else {}))
