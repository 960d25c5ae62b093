"""What a stage costs in a month at AWS: what it uses, times what AWS charges."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.cost.consumption import Consumption, Use
from infra.cost.prices import Price, Prices

if TYPE_CHECKING:
    from infra.config.stage import Stage

LARGEST, NEAREST = 3, 3


@dataclass(frozen=True)
class Line:
    """A part of the bill; without a price it is no part of any sum, and its name stands in `Month.unpriced`."""

    use: Use
    unit: str
    price: Price | None

    @property
    def usd(self) -> float:
        return self.use.quantity * self.price.usd if self.price else 0


@dataclass(frozen=True)
class Month:
    """A month of 730 hours."""

    region: str
    date: str
    """The day of the price list."""
    lines: tuple[Line, ...]

    @property
    def fixed_usd(self) -> float:
        """What it costs when nobody asks anything."""
        return sum(line.usd for line in self.lines if not line.use.by_traffic)

    @property
    def traffic_usd(self) -> float:
        return sum(line.usd for line in self.lines if line.use.by_traffic)

    @property
    def usd(self) -> float:
        """All of it; at least that much, where something has no price."""
        return self.fixed_usd + self.traffic_usd

    @property
    def unpriced(self) -> list[Use]:
        """What the price list does not have."""
        return [line.use for line in self.lines if line.price is None]

    @property
    def unchecked_usd(self) -> float:
        """The part at prices that were not looked up."""
        return sum(line.usd for line in self.lines if line.price and not line.price.checked)

    def largest(self, count: int = LARGEST) -> list[Line]:
        return sorted(self.lines, key=lambda line: line.usd, reverse=True)[:count]


def month(stage: Stage) -> Month:
    """The estimate for a stage."""
    prices = Prices.load(stage.region)
    uses = Consumption(stage).all()
    return Month(stage.region, prices.date, tuple(Line(use, prices.unit(use.item), prices.of(use.item, use.variant)) for use in uses))


def above_ceiling(stage: Stage) -> Iterator[str]:
    """Why the stage's ceiling does not hold: a line for each reason, with what to change."""
    ceiling = stage.cost_ceiling_usd
    if not ceiling:
        return
    found = month(stage)
    for use in found.unpriced:
        near = difflib.get_close_matches(use.variant, Prices.load(stage.region).variants(use.item), n=NEAREST, cutoff=0)
        yield (
            f"{use.keys[0]} = {use.variant!r}: infra/cost/prices.json has no price for it in {stage.region}, so costCeilingUsd = {ceiling} "
            f"cannot be held; it has {', '.join(near)} and more; choose one of them, or add its price"
        )
    if found.usd > ceiling:
        most = "; ".join(f"{line.use.what} {line.usd:.2f}{_by(line.use)}" for line in found.largest())
        yield (
            f"costCeilingUsd = {ceiling}: AWS is estimated at {found.usd:.2f} a month, most of it for {most}; "
            f"change these, or allowed: {int(found.usd) + 1} or more"
        )


def _by(use: Use) -> str:
    return f" (by {', '.join(use.keys)})" if use.keys else ""
