"""G17: what it will cost is projected from traffic, tokens and prices, before anything is deployed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.catalog import Catalog
from app.usage import Usage
from tests.conftest import ROOT


def estimate(tmp_path: Path, *arguments: str, stage: str = "prod") -> dict[str, Any]:
    """As a new user runs it: no pulumi CLI on PATH, no AWS credentials and nobody to ask."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    environment |= {"PATH": str(tmp_path), "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true", "HTTPS_PROXY": "http://127.0.0.1:1"}
    command = [sys.executable, "-m", "operate", "estimate", "--stage", stage, "--json", *arguments]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    return dict(json.loads(ended.stdout))


def test_a_month_follows_from_traffic_tokens_and_prices(tmp_path: Path) -> None:
    """Requests a day, times a month's days, times what the cache leaves, times each model's price for such a request."""
    traffic = {"requests-per-day": 24_000, "prompt-tokens": 1_100, "output-tokens": 300, "cache-hit-percent": 25}
    options = [f"--{name}={value}" for name, value in traffic.items()]
    found = estimate(tmp_path, *options, "--model-mix", "gpt-6.1-terra:60,gpt-6-luna:40")
    catalog, usage = Catalog.load(), Usage(1_100, 300)
    each = {name: catalog.cost_nanousd(catalog.resolve(name, [name]), usage) / 1e9 for name in ("gpt-6.1-terra", "gpt-6-luna")}
    requests = 24_000 * 730 / 24
    by_model = {row["model"]: row["usd"] for row in found["openai"]}
    assert by_model["gpt-6.1-terra"] == pytest.approx(requests * 0.75 * 0.6 * each["gpt-6.1-terra"])
    assert by_model["gpt-6-luna"] == pytest.approx(requests * 0.75 * 0.4 * each["gpt-6-luna"])
    totals = found["totals_usd"]
    assert totals["openai"] == pytest.approx(sum(by_model.values()))
    assert totals["saved_by_cache"] == pytest.approx(totals["openai"] / 3), "a quarter saved is a third of what is left"
    assert totals["all"] == pytest.approx(totals["aws_fixed"] + totals["aws_by_traffic"] + totals["openai"])
    assert totals["per_thousand_requests"] == pytest.approx(totals["all"] / requests * 1000)


def test_more_traffic_costs_more_and_more_cache_costs_less(tmp_path: Path) -> None:
    usual, busy, cached = (
        estimate(tmp_path, *options)["totals_usd"] for options in ([], ["--requests-per-day=50000"], ["--cache-hit-percent=50"])
    )
    assert busy["openai"] == pytest.approx(2 * usual["openai"])
    assert busy["aws_by_traffic"] > usual["aws_by_traffic"]
    assert busy["aws_fixed"] == usual["aws_fixed"]
    assert cached["openai"] < usual["openai"]
    assert cached["saved_by_cache"] > usual["saved_by_cache"]


@pytest.mark.parametrize("stage", ["staging", "prod"])
def test_committed_stages_fit_their_limits(tmp_path: Path, stage: str) -> None:
    found = estimate(tmp_path, stage=stage)
    assert found["totals_usd"]["aws"] < found["cost_ceiling_usd"]
    assert found["totals_usd"]["openai"] < found["monthly_budget_usd"]
    assert not found["notes"], "and all of it stands on prices that were looked up"
