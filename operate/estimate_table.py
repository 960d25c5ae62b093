"""An estimate as tables for people."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from infra.cost.month import Line
from operate.estimate import Estimate


def show(console: Console, found: Estimate) -> None:
    """Print what AWS costs in any case and by traffic, what OpenAI costs by model, and the sums against the stage's limits."""
    stage, traffic = found.stage, found.stage.traffic
    console.print(
        f"stage {stage.name} in {stage.region}: a month of 730 hours, in US dollars; AWS's prices of {found.aws.date}\n"
        f"{traffic.requests_per_day:,} requests a day, {traffic.prompt_tokens:,} + {traffic.output_tokens:,} tokens and "
        f"{traffic.seconds} s each, {traffic.cache_hit_percent} % of them from the cache",
        highlight=False,
    )
    fixed = [line for line in found.aws.lines if not line.use.by_traffic]
    console.print(_aws("AWS, whatever is asked", fixed, found.aws.fixed_usd))
    console.print(_aws("AWS, by what passes", [line for line in found.aws.lines if line.use.by_traffic], found.aws.traffic_usd))
    console.print(_openai(found))
    console.print(_sums(found))
    for note in found.notes():
        console.print(f"[yellow]note:[/] {note}", highlight=False, soft_wrap=True)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", show_footer=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", no_wrap=index > 0)
    return table


def _aws(title: str, lines: list[Line], total_usd: float) -> Table:
    table = _table(title, "what", "quantity", "unit", "a unit", "a month")
    for line in sorted(lines, key=lambda line: line.usd, reverse=True):
        price, usd = (f"{line.price.usd:g}", f"{line.usd:,.2f}") if line.price else ("no price", "?")
        table.add_row(line.use.what, f"{line.use.quantity:,.1f}", line.unit, price, usd)
    table.add_section()
    table.add_row("together", "", "", "", f"{total_usd:,.2f}")
    return table


def _openai(found: Estimate) -> Table:
    table = _table("OpenAI, by model", "model", "requests", "a thousand", "a month", "saved by the cache")
    for model in found.openai:
        table.add_row(model.name, f"{model.requests:,.0f}", f"{model.usd_each * 1000:.3f}", f"{model.usd:,.2f}", f"{model.saved_usd:,.2f}")
    table.add_section()
    table.add_row("together", "", "", f"{found.openai_usd:,.2f}", f"{found.saved_usd:,.2f}")
    return table


def _sums(found: Estimate) -> Table:
    stage = found.stage
    table = _table("Together", "", "a month", "limit", "of it")
    for what, usd, key, limit in (
        ("AWS", found.aws.usd, "costCeilingUsd", stage.cost_ceiling_usd),
        ("OpenAI", found.openai_usd, "monthlyBudgetUsd", stage.monthly_budget_usd),
    ):
        table.add_row(what, f"{usd:,.2f}", f"{key} = {limit:,}" if limit else "none", f"{usd / limit:.0%}" if limit else "")
    table.add_section()
    table.add_row("both", f"{found.usd:,.2f}")
    if found.usd_per_thousand is not None:
        table.add_row("a thousand requests", f"{found.usd_per_thousand:,.2f}")
    return table
