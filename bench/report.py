"""The result of a run, for people."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

COLUMNS = {
    "plain": ("requests_per_s", "cpu_us", "core_share", "p50_ms", "p99_ms"),
    "paced": ("requests_per_s", "cpu_us", "core_share", "p50_ms", "p99_ms"),
    "cached": ("requests_per_s", "cpu_us", "core_share", "p50_ms", "p99_ms"),
    "stream": ("chunks_per_s", "requests_per_s", "cpu_us_per_chunk", "core_share"),
    "latency": ("p50_ms", "added_p50_ms", "first_p50_ms", "added_first_p50_ms"),
    "memory": ("start_mb", "end_mb", "peak_mb", "grown_mb", "requests"),
    "start": ("start_s", "first_answer_s"),
}
STYLES = {"goal reached": "green", "within the limit": "yellow", "missed": "red"}


def show(console: Console, run: dict[str, Any]) -> None:
    for part, servers in run["parts"].items():
        table = Table("server", *COLUMNS[part], title=part, title_justify="left", title_style="bold")
        for server, figures in servers.items():
            table.add_row(server, *(number(figures.get(column)) for column in COLUMNS[part]))
        console.print(table)
    table = Table("goal", "measured", "limit", "goal", "verdict", title="goals", title_justify="left", title_style="bold")
    for goal in run["goals"]:
        sign = "≥" if goal["more_is_better"] else "≤"
        limits = (f"{sign} {number(goal[name])} {goal['unit']}" for name in ("limit", "goal"))
        measured = "-" if goal["measured"] is None else f"{number(goal['measured'])} {goal['unit']}"
        table.add_row(goal["name"], measured, *limits, f"[{STYLES.get(goal['verdict'], 'dim')}]{goal['verdict']}[/]")
    console.print(table)
    for peer, reason in run["without"].items():
        console.print(f"[yellow]without {peer}:[/] {reason}", highlight=False, soft_wrap=True)
    machine = run["machine"]
    pinned = "pinned to one core" if machine["pinned"] else "[yellow]not pinned: taskset and two cores are needed[/]"
    console.print(f"{machine['cores']} cores, {machine['cpu']}; each server {pinned}; {run['taken_s']:.0f} s", highlight=False)
    console.print("A core_share well below 1: the load set the pace, not the server; its CPU time still holds.", style="dim")


def number(value: float | None) -> str:
    """Three digits that matter."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004  three digits
