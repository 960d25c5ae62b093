"""Runs policies over a stack, and says what was found."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from policies.policy import Policy
from policies.stack import Resource, Stack, UnknownValueError
from policies.waivers import Waiver, stale


@dataclass(frozen=True)
class Violation:
    """A resource that breaks a policy."""

    resource: str
    found: str
    waiver: Waiver | None = None
    """The waiver that allows it, as long as that holds."""


@dataclass(frozen=True)
class Verdict:
    """What one policy found."""

    policy: Policy
    looked_at: int
    violations: tuple[Violation, ...]
    waived: tuple[Violation, ...]


@dataclass(frozen=True)
class Report:
    """What all policies found, and what is wrong with the waivers."""

    verdicts: tuple[Verdict, ...]
    waivers: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.waivers and not any(verdict.violations for verdict in self.verdicts)


def found(policy: Policy, resource: Resource, stack: Stack) -> list[str]:
    """What is wrong with a resource; what cannot be known yet is not wrong."""
    lines: list[str] = []
    if policy.protected and not stack.protected:
        return lines
    with contextlib.suppress(UnknownValueError):
        for line in policy.check(resource, stack):
            lines.append(line)  # noqa: PERF402  what was found before something unknown stays found
    return lines


def violations(policy: Policy, resource: Resource, stack: Stack, waivers: Iterable[Waiver], today: date) -> list[Violation]:
    """The same, each with the waiver that allows it, if there is one."""
    active = [waiver for waiver in waivers if not waiver.expired(today)]
    return [
        Violation(resource.label, line, next((one for one in active if one.covers(policy.name, resource.label, line, stack.name)), None))
        for line in found(policy, resource, stack)
    ]


def judge(policies: Sequence[Policy], stack: Stack, waivers: Sequence[Waiver], today: date) -> Report:
    """Run the policies over a stack of which everything is known."""
    verdicts = []
    for policy in policies:
        binds = stack.protected or not policy.protected
        subjects = [resource for resource in stack.resources if binds and policy.about(resource)]
        lines = [line for resource in subjects for line in violations(policy, resource, stack, waivers, today)]
        waived = tuple(line for line in lines if line.waiver)
        verdicts.append(Verdict(policy, len(subjects), tuple(line for line in lines if not line.waiver), waived))
    problems = [*stale(waivers, {policy.name for policy in policies}, today)]
    problems += _unused(verdicts, stack, waivers, today)
    return Report(tuple(verdicts), tuple(problems))


def _unused(verdicts: Iterable[Verdict], stack: Stack, waivers: Iterable[Waiver], today: date) -> list[str]:
    """A waiver that names this stage must be needed in it; one for a pattern of stages may be needed in another."""
    used = {line.waiver for verdict in verdicts for line in verdict.waived}
    return [
        f"{waiver.label}: nothing breaks the policy any more; take the waiver out"
        for waiver in waivers
        if stack.name in waiver.stages and not waiver.expired(today) and waiver not in used
    ]
