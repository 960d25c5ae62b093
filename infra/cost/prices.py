"""What AWS charges: the list in prices.json, by region."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_name("prices.json")


@dataclass(frozen=True)
class Price:
    """Dollars for one unit. `checked`: somebody looked it up when the list was written."""

    unit: str
    usd: float
    checked: bool
    source: str


@dataclass(frozen=True)
class Prices:
    """All prices in one region. An item with variants, as the cache's nodes, has a price for each that is known there."""

    date: str
    free: Mapping[str, str]
    """Types of resources that cost nothing, with the reason."""
    types: Mapping[str, frozenset[str]]
    """The types of resources that bring the cost of each item."""
    _at: Mapping[str, Mapping[str, Any]]

    @classmethod
    def load(cls, region: str, path: Path = PATH) -> Prices:
        found = json.loads(path.read_text())
        at = {}
        for item, entry in found["prices"].items():
            (row,) = (row for row in entry["at"] if region in row["regions"])
            at[item] = {"unit": entry["unit"], **row, "source": found["sources"][row["source"]]}
        types = {item: frozenset(entry["types"]) for item, entry in found["prices"].items()}
        return cls(found["date"], found["free"], types, at)

    def of(self, item: str, variant: str = "") -> Price | None:
        """The price of an item; None where this variant of it has none here."""
        row = self._at[item]
        usd = row["usd"].get(variant) if isinstance(row["usd"], dict) else row["usd"]
        return None if usd is None else Price(row["unit"], usd, row["checked"], row["source"])

    def unit(self, item: str) -> str:
        return str(self._at[item]["unit"])

    def variants(self, item: str) -> list[str]:
        """The variants that have a price here."""
        usd = self._at[item]["usd"]
        return list(usd) if isinstance(usd, dict) else []
