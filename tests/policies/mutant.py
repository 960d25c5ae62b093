"""Something that can go wrong with a real stage, and the policy that must find it."""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.policies.programs import Mutation, add, put


class Mutant(NamedTuple):
    policy: str
    mutation: Mutation
    broken: str
    """The resource that the policy finds."""
    stage: str = "prod"


def changed(policy: str, label: str, path: str, value: Any, stage: str = "prod") -> Mutant:
    """Most mutants: one property of one resource has another value."""
    return Mutant(policy, put(label, path, value), label, stage)


def added(policy: str, kind: str, props: dict[str, Any], stage: str = "prod", **links: str) -> Mutant:
    """A resource is there that must not be."""
    return Mutant(policy, add(kind, props, **links), f"{kind}::added", stage)
