"""Lines of metrics and pages of `/metrics`, read as CloudWatch and Prometheus read them."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import pytest

from app.metrics import NAMESPACE
from app.usage import Usage

UNITS = {"Seconds", "Microseconds", "Milliseconds", "Bytes", "Percent", "Count", "Count/Second", "None"}
"""Those of CloudWatch's units that could stand here."""


@dataclass
class Request:
    client: str | None = "web"
    model: str | None = "gpt-5-mini"
    started: float = 100.0
    first_byte: float | None = None
    ended: float | None = 100.25
    error: str | None = None
    cache: str | None = None
    usage: Usage | None = None
    cost_nanousd: int = 0
    saved_nanousd: int = 0
    retries: int = 0


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The lines of metrics since the last call, each checked against the specification of the embedded metric format."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = [line for line in lines if line["event"] == "metrics"]
    for line in found:
        check_specification(line)
    return found


def check_specification(line: dict[str, Any]) -> None:
    assert len(json.dumps(line)) < 16_384  # what Docker's log drivers pass on in one piece
    assert set(line["_aws"]) == {"Timestamp", "CloudWatchMetrics"}
    assert type(line["_aws"]["Timestamp"]) is int
    assert line["_aws"]["Timestamp"] > 1_700_000_000_000
    for directive in line["_aws"]["CloudWatchMetrics"]:
        assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
        assert directive["Namespace"] == NAMESPACE
        assert 0 < len(directive["Metrics"]) <= 100
        for names in directive["Dimensions"]:
            assert len(names) == len(set(names)) <= 30
            assert all(isinstance(line[name], str) and 0 < len(line[name]) <= 1024 for name in names)
        for metric in directive["Metrics"]:
            assert set(metric) == {"Name", "Unit"}
            assert metric["Unit"] in UNITS
            values = line[metric["Name"]]
            assert type(values) in {int, float} or (0 < len(values) <= 100 and all(type(value) in {int, float} for value in values))


def sums(lines: list[dict[str, Any]]) -> dict[tuple[str, str], float]:
    """What CloudWatch would show as the sum of each metric for each of its dimensions' values."""
    found: dict[tuple[str, str], float] = defaultdict(float)
    for line in lines:
        for directive in line["_aws"]["CloudWatchMetrics"]:
            for metric in directive["Metrics"]:
                value = line[metric["Name"]]
                for names in directive["Dimensions"]:
                    found[metric["Name"], "/".join(line[name] if name == "Stage" else f"{name}={line[name]}" for name in names)] += (
                        sum(value) if isinstance(value, list) else value
                    )
    return found


def scraped(text: str) -> dict[str, float]:
    """Prometheus' reading of the page, by name with labels."""
    found: dict[str, float] = {}
    described = set()
    for line in text.splitlines():
        if line.startswith("# "):
            described.add(line.split(" ")[2])
            continue
        sample = re.fullmatch(r'([a-z_]+)((?:\{(?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)*\})) (\S+)', line)
        assert sample, line
        assert sample[1] in described or sample[1].rpartition("_")[0] in described
        assert (sample[1] + sample[2]) not in found
        found[sample[1] + sample[2]] = float(sample[3])
    return found
