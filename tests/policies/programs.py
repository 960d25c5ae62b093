"""Real stages as policies look at them, and what can go wrong in one."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import date
from functools import cache, reduce
from typing import Any

from policies.catalog import POLICIES
from policies.judge import Report, judge
from policies.stack import Resource, Stack, planned
from policies.waivers import load
from sandbox.stack import configuration, project
from tests.infra.deployment import deploy

TODAY = date(2026, 11, 23)
"""The day of the tests: waivers that hold on it expire on days of their own, which `make policy` watches."""
ABSENT = object()
Mutation = Callable[[Stack], Stack]


@cache
def _program(stage: str, overrides: tuple[tuple[str, str], ...]) -> Stack:
    values = {key: json.loads(value) for key, value in overrides}
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    protected = configuration(stage, texts)[f"{project()['name']}:protect"] == "true"
    return planned(deploy(stage, **values).planned, protected=protected)


def program(stage: str, **overrides: object) -> Stack:
    """What a stage deploys."""
    return _program(stage, tuple((key, json.dumps(value)) for key, value in sorted(overrides.items())))


def judged(stack: Stack) -> Report:
    return judge(POLICIES, stack, load(), TODAY)


def broken(stack: Stack) -> dict[str, set[str]]:
    """The resources that break each policy."""
    return {
        verdict.policy.name: {violation.resource for violation in verdict.violations}
        for verdict in judged(stack).verdicts
        if verdict.violations
    }


def one(stack: Stack, label: str) -> Resource:
    (found,) = [resource for resource in stack.resources if resource.label == label]
    return found


def _changed(stack: Stack, resource: Resource, **fields: Any) -> Stack:
    after = tuple(replace(each, **fields) if each is resource else each for each in stack.resources)
    return replace(stack, resources=after)


def put(label: str, path: str, value: Any) -> Mutation:
    """Set the property at the path, in which a number is a place in a list and what follows a # is inside its JSON; ABSENT removes it."""

    def mutation(stack: Stack) -> Stack:
        resource = one(stack, label)
        props: Any = deepcopy(dict(resource.props))
        outer, _, inner = path.partition("#")
        if inner:
            document = json.loads(props[outer])
            _set(document, inner, value)
            props[outer] = json.dumps(document)
        else:
            _set(props, outer, value)
        return _changed(stack, resource, props=props)

    return mutation


def _set(container: Any, path: str, value: Any) -> None:
    *way, last = (int(key) if key.isdigit() else key for key in path.split("."))
    for key in way:
        container = container[key]
    if value is ABSENT:
        del container[last]
    elif isinstance(container, list) and last == len(container):
        container.append(value)
    else:
        container[last] = value


def drop(label: str) -> Mutation:
    """Take a resource out, and what is said of it elsewhere."""
    return lambda stack: replace(stack, resources=tuple(each for each in stack.resources if each is not one(stack, label)))


def add(kind: str, props: dict[str, Any], like: str = "ec2:Vpc::network", **links: str) -> Mutation:
    """Put a resource in, made by the provider of another, whose properties hold something of others."""

    def mutation(stack: Stack) -> Stack:
        linked = {key: frozenset([label]) for key, label in links.items()}
        return replace(stack, resources=(*stack.resources, Resource(kind, "added", props, one(stack, like).provider, links=linked)))

    return mutation


def link(label: str, path: str, *targets: str) -> Mutation:
    """Let a property hold something of these resources, and of no others."""

    def mutation(stack: Stack) -> Stack:
        resource = one(stack, label)
        return _changed(stack, resource, links={**resource.links, path: frozenset(targets)})

    return mutation


def several(*mutations: Mutation) -> Mutation:
    """One after the other."""
    return lambda stack: reduce(lambda before, mutation: mutation(before), mutations, stack)


def unprotect(label: str) -> Mutation:
    return lambda stack: _changed(stack, one(stack, label), protect=False)


def provide(label: str, **provider: Any) -> Mutation:
    """Let another provider make it."""
    return lambda stack: _changed(stack, one(stack, label), provider=provider)
