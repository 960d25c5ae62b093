"""What the ledger's scripts have counted, as they pack it."""

from __future__ import annotations

import struct
import time
from datetime import date
from typing import Any

from app.reservation import NONE

BOOKED = struct.Struct("<9d")
"""What a request used: tokens and nano-dollars against the limits, then the numbers of its row."""
NUMBERS = ("requests", "hits", "errors", "prompt_tokens", "completion_tokens", "cost_nanousd", "saved_nanousd")
_ROW = struct.Struct("<7d")
_SCOPE = struct.Struct("<11d")
_EPOCH = date(1970, 1, 1).toordinal()


def usage_key(day: str) -> str:
    """The key of a day (as 2026-11-23): the scripts number the days since 1970."""
    return f"usage:{date.fromisoformat(day).toordinal() - _EPOCH}"


def row_of(day: str, client: str, name: bytes, numbers: bytes) -> dict[str, Any]:
    model, _, feature = name.decode().partition(" ")
    counted = zip(NUMBERS, map(int, _ROW.unpack(numbers)), strict=True)
    return {"day": day, "client": client, "model": model, "feature": "" if feature == NONE else feature, **dict(counted)}


def spent(scope: bytes | None) -> tuple[int, int]:
    """Nano-dollars of today and of this month, out of a scope as `ledger.lua` packs it."""
    if not scope:
        return 0, 0
    *_, day, day_nanousd, month_ends, month_nanousd = _SCOPE.unpack(scope)
    now = time.time()
    return int(day_nanousd) if day == now // 86400 else 0, int(month_nanousd) if now * 1e6 < month_ends else 0
