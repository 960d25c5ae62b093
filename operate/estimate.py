"""What a month of a stage costs, at AWS and at OpenAI, from its configuration: no account is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from app.catalog import Catalog
from app.limits import NANOUSD
from app.model import CatalogError
from app.usage import Usage
from infra.config import stack
from infra.config.stage import Stage
from infra.config.traffic import shares
from infra.cost.month import Month, month
from operate.stack import OperateError


@dataclass(frozen=True)
class ModelCost:
    """The part of a model: what it answers, and what the cache answers in its stead."""

    name: str
    requests: float
    hits: float
    usd_each: float

    @property
    def usd(self) -> float:
        return self.requests * self.usd_each

    @property
    def saved_usd(self) -> float:
        return self.hits * self.usd_each


@dataclass(frozen=True)
class Estimate:
    """A month of a stage."""

    stage: Stage
    aws: Month
    openai: tuple[ModelCost, ...]

    @property
    def openai_usd(self) -> float:
        return sum(model.usd for model in self.openai)

    @property
    def saved_usd(self) -> float:
        """What the cache saves at OpenAI."""
        return sum(model.saved_usd for model in self.openai)

    @property
    def usd(self) -> float:
        return self.aws.usd + self.openai_usd

    @property
    def usd_per_thousand(self) -> float | None:
        """Dollars for a thousand requests; nothing where nobody asks."""
        requests = self.stage.traffic.requests
        return self.usd / requests * 1000 if requests else None

    def notes(self) -> list[str]:
        """What the sums do not say by themselves."""
        found = [
            f"{use.what} is not in the sums: there is no price for {use.variant} in {self.aws.region}; add it to infra/cost/prices.json"
            for use in self.aws.unpriced
        ]
        if self.aws.unchecked_usd:
            found.append(f"{self.aws.unchecked_usd:.2f} of AWS's part stands at prices that were not looked up (infra/cost/prices.json)")
        if self.stage.vpc_id:
            found.append("NAT gateways, what passes them and flow logs are those of the given network and not in the sums")
        if 0 < self.stage.cost_ceiling_usd < self.aws.usd:
            found.append(f"AWS is above costCeilingUsd = {self.stage.cost_ceiling_usd}: `pulumi preview` refuses the stage")
        if 0 < self.stage.monthly_budget_usd < self.openai_usd:
            day = self.stage.monthly_budget_usd / self.openai_usd * 30
            found.append(f"OpenAI is above monthlyBudgetUsd = {self.stage.monthly_budget_usd}: it is spent on about day {day:.0f} of 30")
        return found

    def document(self) -> dict[str, Any]:
        """All of it as JSON."""
        stage, traffic = self.stage, self.stage.traffic
        return {
            "stage": stage.name,
            "region": stage.region,
            "prices": self.aws.date,
            "models": Catalog.load().version,
            "traffic": {
                "requests_per_month": traffic.requests,
                "prompt_tokens": traffic.prompt_tokens,
                "output_tokens": traffic.output_tokens,
                "seconds": traffic.seconds,
                "cache_hit_percent": traffic.cache_hit_percent,
            },
            "aws": [
                {
                    "what": line.use.what,
                    "quantity": line.use.quantity,
                    "unit": line.unit,
                    "unit_usd": line.price.usd if line.price else None,
                    "usd": line.usd if line.price else None,
                    "by_traffic": line.use.by_traffic,
                    "checked": bool(line.price and line.price.checked),
                    "keys": list(line.use.keys),
                }
                for line in self.aws.lines
            ],
            "openai": [
                {"model": model.name, "requests": model.requests, "usd": model.usd, "saved_usd": model.saved_usd} for model in self.openai
            ],
            "totals_usd": {
                "aws_fixed": self.aws.fixed_usd,
                "aws_by_traffic": self.aws.traffic_usd,
                "aws": self.aws.usd,
                "openai": self.openai_usd,
                "all": self.usd,
                "saved_by_cache": self.saved_usd,
                "per_thousand_requests": self.usd_per_thousand,
            },
            "cost_ceiling_usd": stage.cost_ceiling_usd,
            "monthly_budget_usd": stage.monthly_budget_usd,
            "notes": self.notes(),
        }


def estimate(name: str, overrides: Mapping[str, str]) -> Estimate:
    """The month of a stage, with configuration that differs from its file; its ceiling does not stop it.

    Raises:
        OperateError: there is no such stage, its configuration cannot be used, or one of its models has no price.
    """
    try:
        stage = Stage.read(stack.values(name, overrides), project=stack.project()["name"], name=name, capped=False)
    except (stack.StackError, pulumi.RunError) as error:
        raise OperateError(str(error)) from None
    return Estimate(stage, month(stage), tuple(_openai(stage)))


def _openai(stage: Stage) -> Iterator[ModelCost]:
    traffic = stage.traffic
    usage = Usage(traffic.prompt_tokens, traffic.output_tokens)
    catalog = Catalog.load()
    for name, share in shares(stage.traffic_model_mix, stage.models).items():
        try:
            catalog.check([name])
        except CatalogError as error:
            raise OperateError(f"models: {error}") from None
        usd_each = catalog.cost_nanousd(catalog.resolve(name, stage.models), usage) / NANOUSD
        yield ModelCost(name, traffic.misses * share, traffic.hits * share, usd_each)
