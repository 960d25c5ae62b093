"""Writes the tables of the documents from what they describe; with --check it only says whether they are up to date."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from app.settings import Settings
from infra.config.traffic import MONTH_H
from infra.cost.prices import Prices
from operate.estimate import Estimate, estimate

STAGES = ("staging", "prod")


def configuration() -> str:
    """A row for each key of Pulumi.yaml, with what staging and prod say otherwise."""
    keys = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    stages = {stage: yaml.safe_load((ROOT / f"Pulumi.{stage}.yaml").read_text())["config"] for stage in STAGES}
    rows = ["| key | default | staging | prod | what it is |", "|---|---|---|---|---|"]
    for key, entry in keys.items():
        own = [_code(stages[stage][key]) if key in stages[stage] else "" for stage in stages]
        rows.append(f"| `{key}` | {_code(entry['default'])} | {own[0]} | {own[1]} | {_cell(entry['description'])} |")
    return "\n".join(rows)


def settings() -> str:
    """A row for each variable of the app."""
    rows = ["| variable | default | what it is |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if name in ("openai_api_key", "clients") else field.default
        rows.append(f"| `{field.alias}` | {_code(default)} | {_cell(str(field.description))} |")
    return "\n".join(rows)


def month() -> str:
    """A row for each part of the month, with what changes it; what passes is in italics."""
    found = [estimate(stage, {}) for stage in STAGES]
    rows = ["| part | follows from | staging | prod |", "|---|---|--:|--:|"]
    rows += [_part(what, found) for what in _parts(found)]
    for title, usd in (
        ("**AWS**", lambda one: one.aws.usd),
        *((f"OpenAI: {model.name}", lambda one, name=model.name: _of_model(one, name)) for model in found[-1].openai),
        ("**OpenAI**", lambda one: one.openai_usd),
        ("**both**", lambda one: one.usd),
        ("a thousand requests", lambda one: one.usd_per_thousand or 0),
        ("the cache saves at OpenAI", lambda one: one.saved_usd),
    ):
        rows.append(f"| {title} | | {' | '.join(f'{usd(one):,.2f}' for one in found)} |")
    limits = (("`costCeilingUsd`", "cost_ceiling_usd"), ("`monthlyBudgetUsd`", "monthly_budget_usd"))
    rows += [f"| {title} | | {' | '.join(f'{getattr(one.stage, field):,}' for one in found)} |" for title, field in limits]
    return "\n".join(rows)


def endpoints() -> str:
    """What an interface endpoint costs and saves, by zones and NAT gateways, and what would pass it."""
    prices = Prices.load("us-east-1")
    hour, gb, nat_gb, between = (_usd(prices, item) for item in ("endpoint", "endpoint-gb", "nat-gb", "between-zones"))
    rows = ["| network | an endpoint a month | a GB costs less by | pays from | logs that pass |", "|---|--:|--:|--:|--:|"]
    for stage in STAGES:
        found = estimate(stage, {}).stage
        shared = found.nat_gateways == "single"
        saved = nat_gb - gb + (2 * between * (found.zones - 1) / found.zones if shared else 0)
        fixed = found.zones * MONTH_H * hour
        logs_gb = next(line.use.quantity for line in estimate(stage, {}).aws.lines if line.use.item == "logs-in")
        network = f"{stage}: {found.zones} zones, {'one NAT gateway' if shared else 'a NAT gateway in each'}"
        rows.append(f"| {network} | {fixed:.2f} | {saved:.3f} | {fixed / saved:,.0f} GB | {logs_gb:.1f} GB |")
    return "\n".join(rows)


def _parts(found: list[Estimate]) -> list[str]:
    last = {line.use.what: line.usd for one in found for line in one.aws.lines}
    return sorted(last, key=lambda what: -last[what])


def _part(what: str, found: list[Estimate]) -> str:
    lines = [next((line for line in one.aws.lines if line.use.what == what), None) for one in found]
    use = next(line.use for line in lines if line)
    name = f"*{what}*" if use.by_traffic else what
    return f"| {name} | {', '.join(map(_code, use.keys))} | {' | '.join(f'{line.usd:,.2f}' if line else '' for line in lines)} |"


def _of_model(found: Estimate, name: str) -> float:
    return sum(model.usd for model in found.openai if model.name == name)


def _usd(prices: Prices, item: str) -> float:
    price = prices.of(item)
    return price.usd if price else 0


def _code(value: Any) -> str:
    if value in ("", [], ()):
        return ""
    if isinstance(value, list | tuple):
        return f"`{','.join(map(str, value))}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


DOCUMENTS: dict[str, tuple[Callable[[], str], ...]] = {"README.md": (configuration, settings), "docs/cost.md": (month, endpoints)}
"""The tables of each document: what a function returns stands between `<!-- its name -->` and `<!-- end -->`."""


def written(name: str, text: str) -> str:
    """The text of a document with its tables made anew."""
    for table in DOCUMENTS[name]:
        place = re.compile(rf"(?<=<!-- {table.__name__} -->\n).*?(?=\n<!-- end -->)", flags=re.DOTALL)
        text, found = place.subn(lambda _old, table=table: table(), text)
        if found != 1:
            raise SystemExit(f"{name} must have one place <!-- {table.__name__} --> … <!-- end -->")
    return text


def main() -> int:
    """Write the tables, or check them; 1 where they were not up to date."""
    behind = 0
    for name in DOCUMENTS:
        now = (ROOT / name).read_text()
        new = written(name, now)
        behind |= now != new
        if "--check" not in sys.argv:
            (ROOT / name).write_text(new)
    return behind if "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
