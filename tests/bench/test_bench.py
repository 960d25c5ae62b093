"""`python -m bench`, with few requests and no peers: what it measures is whole and can be; how fast it is, no test says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.goals import GOALS, Goal
from bench.parts import PARTS
from bench.process import ROOT
from bench.report import COLUMNS
from bench.upstream import EVENTS

FEW = ("--no-peers", "--requests", "40", "--seconds", "5", "--rounds", "1", "--memory-requests", "60")


def bench(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def measured() -> Any:
    ended = bench("--json", *FEW)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.parametrize("part", PARTS)
def test_every_part_has_the_figures_that_the_report_shows(measured: Any, part: str) -> None:
    figures = measured["parts"][part]["gateway"]
    assert set(COLUMNS[part]) <= figures.keys()
    assert all(isinstance(value, int | float) for value in figures.values())
    assert not measured["without"]


def test_every_request_is_answered_and_counted(measured: Any) -> None:
    parts = {part: servers["gateway"] for part, servers in measured["parts"].items()}
    assert [parts[part]["requests"] for part in ("plain", "paced", "cached")] == [40, 40, 40]
    assert parts["stream"]["chunks_per_s"] / parts["stream"]["requests_per_s"] == pytest.approx(EVENTS + 1), "its usage is an event too"
    assert parts["memory"]["requests"] == 60


def test_each_request_is_a_new_one_unless_it_is_to_come_from_the_cache(measured: Any) -> None:
    hits = {part: servers["gateway"].get("hits") for part, servers in measured["parts"].items()}
    assert (hits["plain"], hits["paced"], hits["stream"], hits["cached"]) == (0, 0, 0, 40)


def test_the_figures_can_be(measured: Any) -> None:
    parts = {part: servers["gateway"] for part, servers in measured["parts"].items()}
    for part in ("plain", "paced", "cached"):
        assert 0 < parts[part]["p50_ms"] <= parts[part]["p99_ms"] < 5000
    assert parts["plain"]["cpu_us"] > 0
    assert 0 < parts["latency"]["first_p50_ms"] < 1000
    assert 20 < parts["memory"]["start_mb"] <= parts["memory"]["peak_mb"] < 1000
    assert 0 < parts["start"]["start_s"] <= parts["start"]["first_answer_s"] < 60
    assert parts["paced"]["requests_per_s"] < 600, "they come at the pace that was asked for"


def test_a_goal_that_needs_an_absent_peer_says_so(measured: Any) -> None:
    verdicts = {goal["name"]: goal["verdict"] for goal in measured["goals"]}
    assert len(verdicts) == len(GOALS)
    assert verdicts["requests a second, to LiteLLM's"] == "not measured: no litellm in this run"
    assert verdicts["memory at its peak"] in {"goal reached", "within the limit", "missed"}


@pytest.mark.parametrize(("measure", "verdict"), [(9.0, "goal reached"), (12.0, "within the limit"), (17.0, "missed")])
def test_verdicts_of_a_goal_where_less_is_better(measure: float, verdict: str) -> None:
    assert Goal("", "x", 16, 10, lambda _: measure).result({})["verdict"] == verdict


@pytest.mark.parametrize(("measure", "verdict"), [(51.0, "goal reached"), (36.0, "within the limit"), (34.0, "missed")])
def test_verdicts_of_a_goal_where_more_is_better(measure: float, verdict: str) -> None:
    assert Goal("", "x", 35, 50, lambda _: measure, more_is_better=True).result({})["verdict"] == verdict


def test_a_part_that_does_not_exist_is_refused_by_name() -> None:
    ended = bench("--only", "plain,speed")
    assert ended.returncode == 2
    assert "there is no speed; there are plain, paced," in ended.stderr


def test_a_peer_that_cannot_be_had_is_left_out_with_the_reason(tmp_path: Path) -> None:
    ended = bench("--json", "--only", "plain", "--requests", "1", "--rounds", "1", "--peers", "portkey", "--home", str(tmp_path), PATH="")
    assert ended.returncode == 0, ended.stderr
    run = json.loads(ended.stdout)
    assert run["without"] == {"portkey": "npm is not there to install it with"}
    assert list(run["parts"]["plain"]) == ["gateway"]
    assert not run["machine"]["pinned"], "without a PATH there is no taskset"
