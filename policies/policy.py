"""What a policy is, and the checks that many policies are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from policies.stack import Resource, Stack

AWS = "aws"
"""Every resource of AWS, in a policy's `on`."""
Check = Callable[[Resource, Stack], Iterator[str]]
"""Yields what is wrong with a resource, a line for each."""


@dataclass(frozen=True)
class Policy:
    """One rule about one kind of resource: a pure function, and what a person needs to know about it."""

    name: str
    title: str
    """The rule, as one sentence."""
    why: str
    fix: str
    on: tuple[str, ...]
    """The resources that it is about: types in short, patterns of them, or AWS."""
    check: Check
    severity: Literal["low", "medium", "high", "critical"] = "medium"
    covers: tuple[str, ...] = ()
    """The checks of Checkov, Prowler and cdk-nag that it answers."""
    whole: bool = False
    """Whether it looks at other resources too; then it runs once the whole stack is known."""

    protected: bool = False
    """Whether it binds protected stages only: those with `protect: true`."""

    def about(self, resource: Resource) -> bool:
        return any(resource.aws if kind == AWS else fnmatchcase(resource.kind, kind) for kind in self.on)


def said(value: Any) -> str:
    """A value in a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}…"  # noqa: PLR2004  a line


def equals(path: str, *allowed: Any) -> Check:
    """The value at the path is one of these; None allows that it is not set."""

    def check(resource: Resource, _stack: Stack) -> Iterator[str]:
        value = resource.known(path)
        if value not in allowed:
            yield f"{path} = {said(value)}; allowed: {' or '.join('unset' if item is None else said(item) for item in allowed)}"

    return check


def at_least(path: str, least: int) -> Check:
    """The number, or the number of items, at the path is this or more."""

    def check(resource: Resource, _stack: Stack) -> Iterator[str]:
        value = resource.known(path)
        count = len(value) if isinstance(value, list) else value or 0
        if count < least:
            yield f"{path} {'has' if isinstance(value, list) else '='} {count}; allowed: {least} or more"

    return check


def given(path: str, *, unlike: str = "") -> Check:
    """Something is set at the path, known or not, and it does not begin with what is `unlike` it."""

    def check(resource: Resource, _stack: Stack) -> Iterator[str]:
        value = resource.get(path)
        if value is None or value in ("", []) or (unlike and str(value).startswith(unlike)):
            yield f"{path} is unset" if value is None else f"{path} = {said(value)}"

    return check


def absent(path: str) -> Check:
    """Nothing is set at the path."""

    def check(resource: Resource, _stack: Stack) -> Iterator[str]:
        value = resource.get(path)
        if value is not None and value not in ("", [], {}):
            yield f"{path} is set; allowed: unset"

    return check


def refused(what: str) -> Check:
    """No such resource may exist."""

    def check(_resource: Resource, _stack: Stack) -> Iterator[str]:
        yield what

    return check


def every(*checks: Check) -> Check:
    """All of these."""

    def check(resource: Resource, stack: Stack) -> Iterator[str]:
        for one in checks:
            yield from one(resource, stack)

    return check


def has(kind: str, path: str, also: Callable[[Resource], bool] = lambda _resource: True, wanted: str = "") -> Check:
    """Another resource of that type belongs to it by the property at the path, and is as it should be."""

    def check(resource: Resource, stack: Stack) -> Iterator[str]:
        if not any(also(other) for other in stack.linked(kind, path, resource)):
            yield f"there is no {kind} whose {path} is this{f', {wanted}' if wanted else ''}"

    return check
