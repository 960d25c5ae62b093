"""`python -m sandbox policy`: whether a stage satisfies the policy pack, with no account and no CLI."""

from __future__ import annotations

import io
import json
import re
from datetime import date

from rich.console import Console

from sandbox.policy import as_json, check, show
from tests.policies.programs import TODAY
from tests.sandbox.test_local import run


async def test_a_stage_that_satisfies_the_pack() -> None:
    report = await check("staging", {}, TODAY)
    assert report.passed
    printed = io.StringIO()
    show(Console(file=printed, width=140), "staging", report)
    lines = printed.getvalue().splitlines()
    assert any(line.split()[:2] == ["passed", "balancer-desync"] for line in lines)
    assert any(line.split()[:2] == ["waived", "listener-encrypted"] for line in lines)
    assert any(line.split()[:2] == ["-", "log-year"] for line in lines), "which binds protected stages only"
    assert any(re.match(r"  until \d{4}-\d\d-\d\d: staging has no domain yet", line) for line in lines)
    assert "0 of them broken" in lines[-1]


async def test_a_waiver_that_has_ended_fails() -> None:
    report = await check("staging", {}, date.max)
    printed = io.StringIO()
    show(Console(file=printed, width=140), "staging", report)
    assert not report.passed
    assert "violation: listener-encrypted  lb:Listener::http" in printed.getvalue()
    assert "policies/waivers.toml: the waiver for listener-encrypted on lb:Listener::http in staging: expired on" in printed.getvalue()


def test_a_stage_that_breaks_a_policy_is_told_why_and_how_to_mend_it() -> None:
    ended = run("policy", "--stage", "prod", "--config", "minTasks=1", "--config", "logRetentionDays=30")
    assert ended.returncode == 1, ended.stdout
    for part in (
        "violation: service-several-tasks  appautoscaling:Target::tasks: minCapacity = 1; allowed: 2 or more",
        "  why: With one, its restart is an outage.",
        "  fix: `minTasks` of 2 or more.",
        "violation: log-year  cloudwatch:LogGroup::app: retentionInDays = 30; allowed: 365 or more",
    ):
        assert part in ended.stdout
    assert ended.stdout.count("why: Break-ins are found months later") == 1, "once for three log groups"


def test_the_same_as_json() -> None:
    ended = run("policy", "--stage", "prod", "--config", "minTasks=1", "--json")
    assert ended.returncode == 1
    report = json.loads(ended.stdout)
    assert (report["stage"], report["passed"]) == ("prod", False)
    (broken,) = [policy for policy in report["policies"] if policy["name"] == "service-several-tasks"]
    assert broken["violations"][0]["resource"] == "appautoscaling:Target::tasks"
    (rights,) = [policy for policy in report["policies"] if policy["name"] == "no-wildcard-resource"]
    assert "CKV_AWS_355" in rights["covers"]


async def test_waived_findings_as_json() -> None:
    report = as_json("staging", await check("staging", {}, TODAY))
    assert report["passed"]
    (encrypted,) = [policy for policy in report["policies"] if policy["name"] == "listener-encrypted"]
    (waived,) = encrypted["waived"]
    assert date.fromisoformat(waived["expires"]) > TODAY
    assert waived["reason"].startswith("staging has no domain yet")


def test_a_stage_that_is_none_is_one_line() -> None:
    ended = run("policy", "--stage", "production")
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: there is no stage 'production'")
