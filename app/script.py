"""The ledger's scripts, which Valkey runs as one step each."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def _read(name: str) -> str:
    return "\n".join((_HERE / file).read_text() for file in ("ledger.lua", name))


RESERVE = _read("ledger_reserve.lua")
SETTLE = _read("ledger_settle.lua")
