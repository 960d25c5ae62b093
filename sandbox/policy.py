"""Whether a stage satisfies the policy pack, with no account and no CLI: `python -m sandbox policy --stage prod` (make policy)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from rich.console import Console
from rich.text import Text

from policies.catalog import POLICIES
from policies.judge import Report, Verdict, Violation, judge
from policies.stack import planned
from policies.waivers import WaiverError, load
from sandbox.errors import SandboxError
from sandbox.plan import plan
from sandbox.stack import configuration, project


async def check(stage: str, overrides: Mapping[str, str], today: date) -> Report:
    """Run the program of a stage in process, and the policies over what it registers.

    Raises:
        SandboxError: there is no such stage, the program refuses its configuration, or the file of waivers cannot be used.
    """
    try:
        waivers = load()
    except WaiverError as error:
        raise SandboxError(str(error)) from None
    found = await plan(stage, dict(overrides))
    protected = configuration(stage, overrides).get(f"{project()['name']}:protect") == "true"
    return judge(POLICIES, planned(found, protected=protected), waivers, today)


def show(console: Console, stage: str, report: Report) -> None:
    """Print each policy with the number of resources that it is about, what is waived, and what breaks one: why, and how to mend it."""
    width = max(len(verdict.policy.name) for verdict in report.verdicts)
    for verdict in report.verdicts:
        console.print(_line(verdict, width), soft_wrap=True)
    for verdict in report.verdicts:
        for violation in verdict.waived:
            _tell(console, "waived", "yellow", verdict, violation)
            if violation.waiver:
                console.print(Text(f"  until {violation.waiver.expires}: {violation.waiver.reason}"), soft_wrap=True)
    for verdict in report.verdicts:
        for violation in verdict.violations:
            _tell(console, "violation", "red bold", verdict, violation)
        if verdict.violations:
            console.print(Text(f"  why: {verdict.policy.why}\n  fix: {verdict.policy.fix}"), soft_wrap=True)
    for problem in report.waivers:
        console.print(Text(f"\npolicies/waivers.toml: {problem}", "red bold"), soft_wrap=True)
    console.print(Text(f"\n{_summary(stage, report)}", "green bold" if report.passed else "red bold"), soft_wrap=True)


def as_json(stage: str, report: Report) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "stage": stage,
        "passed": report.passed,
        "policies": [
            {
                "name": verdict.policy.name,
                "title": verdict.policy.title,
                "severity": verdict.policy.severity,
                "covers": list(verdict.policy.covers),
                "resources": verdict.looked_at,
                "violations": [
                    {"resource": one.resource, "found": one.found, "why": verdict.policy.why, "fix": verdict.policy.fix}
                    for one in verdict.violations
                ],
                "waived": [
                    {"resource": one.resource, "found": one.found, "reason": one.waiver.reason, "expires": one.waiver.expires.isoformat()}
                    for one in verdict.waived
                    if one.waiver
                ],
            }
            for verdict in report.verdicts
        ],
        "waivers": list(report.waivers),
    }


def _line(verdict: Verdict, width: int) -> Text:
    if verdict.violations:
        mark, style = "broken", "red bold"
    elif verdict.waived:
        mark, style = "waived", "yellow"
    else:
        mark, style = ("passed", "green") if verdict.looked_at else ("-", "dim")
    return Text.assemble((f"{mark:6} ", style), f"{verdict.policy.name:{width}} {verdict.looked_at or '':>4}  {verdict.policy.title}")


def _tell(console: Console, word: str, style: str, verdict: Verdict, violation: Violation) -> None:
    text = Text.assemble((f"\n{word}: {verdict.policy.name}", style), f"  {violation.resource}: {violation.found}")
    console.print(text, soft_wrap=True)


def _summary(stage: str, report: Report) -> str:
    broken = sum(bool(verdict.violations) for verdict in report.verdicts)
    waived = sum(len(verdict.waived) for verdict in report.verdicts)
    also = f", {len(report.waivers)} waivers to look at" if report.waivers else ""
    return f"stage {stage}: {len(report.verdicts)} policies, {broken} of them broken, {waived} findings waived{also}"
