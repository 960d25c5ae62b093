"""The ledger's script, which Valkey runs as one step."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent
LEDGER = "\n".join((_HERE / name).read_text() for name in ("ledger.lua", "ledger_settle.lua", "ledger_reserve.lua"))
