"""The policies as Pulumi's SDK runs them, and a stack as it hands it over.

A policy about one resource runs before that is created, and refuses it in time; one that looks at the whole stack runs at the end of a
preview or a deployment. What a preview cannot know is looked at when the deployment knows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import pulumi
import pulumi_policy
from pulumi_policy.proxy import UnknownValueError as NotKnownYetError

from policies.judge import violations
from policies.policy import Policy
from policies.stack import UNKNOWN, Resource, Stack, short
from policies.waivers import Waiver, stale

STACK = "pulumi:pulumi:Stack"
Report = Callable[..., None]


def packed(policies: Sequence[Policy], waivers: Sequence[Waiver], today: date) -> list[pulumi_policy.Policy]:
    """The policies, and one more that the waivers hold."""
    names = {policy.name for policy in policies}

    def hold(_arguments: pulumi_policy.StackValidationArgs, report: Report) -> None:
        for problem in stale(waivers, names, today):
            report(problem)

    held = pulumi_policy.StackValidationPolicy(
        name="waivers", description="No waiver has expired, and each is about a policy that exists", validate=hold
    )
    return [*(_packed(policy, waivers, today) for policy in policies), held]


def _packed(policy: Policy, waivers: Sequence[Waiver], today: date) -> pulumi_policy.Policy:
    def tell(resource: Resource, stack: Stack, report: Report) -> None:
        for violation in violations(policy, resource, stack, waivers, today):
            if violation.waiver is None:
                report(f"{violation.resource}: {violation.found}\nWhy: {policy.why}\nTo mend it: {policy.fix}", resource.urn)

    def one(arguments: pulumi_policy.ResourceValidationArgs, report: Report) -> None:
        resource = _resource(arguments)
        if resource is not None and policy.about(resource):
            tell(resource, _stack(()), report)

    def all_of_them(arguments: pulumi_policy.StackValidationArgs, report: Report) -> None:
        stack = _stack(arguments.resources)
        for resource in stack.resources:
            if policy.about(resource):
                tell(resource, stack, report)

    about: dict[str, Any] = {
        "name": policy.name,
        "description": policy.title,
        "severity": pulumi_policy.Severity(policy.severity),
        "remediation_steps": policy.fix,
        "tags": list(policy.covers),
    }
    if policy.whole:
        return pulumi_policy.StackValidationPolicy(validate=all_of_them, **about)
    return pulumi_policy.ResourceValidationPolicy(validate=one, **about)


def _stack(resources: Sequence[pulumi_policy.PolicyResource]) -> Stack:
    protected = pulumi.Config().get_bool("protect") or False
    return Stack(pulumi.get_stack(), protected, tuple(filter(None, map(_resource, resources))))


def _resource(given: pulumi_policy.PolicyResource | pulumi_policy.ResourceValidationArgs) -> Resource | None:
    """The resource; None for what only groups or provides others."""
    if given.provider is None and given.resource_type != STACK:
        return None
    links = given.property_dependencies if isinstance(given, pulumi_policy.PolicyResource) else {}
    return Resource(
        kind=_kind(given.resource_type),
        name=given.name,
        props=plain(given.props),
        provider=plain(given.provider.props) if given.provider else {},
        protect=given.opts.protect,
        links={key: frozenset(f"{_kind(one.resource_type)}::{one.name}" for one in held) for key, held in links.items()},
        urn=given.urn,
        aws=given.resource_type.startswith("aws:"),
    )


def _kind(resource_type: str) -> str:
    return "pulumi:Stack" if resource_type == STACK else short(resource_type)


def plain(value: Any) -> Any:
    """A value of the SDK's as plain data: whole numbers as integers, and UNKNOWN for what it would refuse to show."""
    if isinstance(value, Mapping):
        return {key: _looked_up(value, key) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_looked_up(value, index) for index in range(len(value))]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _looked_up(value: Any, key: Any) -> Any:
    try:
        return plain(value[key])
    except NotKnownYetError:
        return UNKNOWN
