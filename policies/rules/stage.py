"""Where a stage is, what it is marked with, and that somebody has looked at all that it is made of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from policies.policy import AWS, Policy
from policies.stack import Resource, Stack, Unknown, UnknownValueError

REGIONS = ("us-east-1", "us-east-2", "us-west-1", "us-west-2")
TAGS = ("project", "stage", "managed-by")
REVIEWED = {
    "acm:CertificateValidation": "waits for a certificate, and holds nothing",
    "appautoscaling:Policy": "how many tasks, within the target's bounds",
    "appautoscaling:ScheduledAction": "as above",
    "budgets:Budget": "sends mail about costs, and can do nothing",
    "cloudwatch:Dashboard": "shows metrics, which hold neither keys nor prompts",
    "cloudwatch:EventRule": "chooses events, which hold neither keys nor prompts",
    "cloudwatch:LogMetricFilter": "counts lines of a log",
    "docker-build:Image": "`plain-secret` looks at its arguments, `container-image` at its digest",
    "ec2:DefaultSecurityGroup": "`default-group-empty`",
    "ec2:Eip": "the address of a NAT gateway",
    "ec2:FlowLog": "`flow-logs`",
    "ec2:InternetGateway": "`service-private` and `cache-private` look at the ways to it",
    "ec2:NatGateway": "lets nothing in",
    "ec2:Route": "as the internet gateway",
    "ec2:RouteTable": "as the internet gateway",
    "ec2:RouteTableAssociation": "as the internet gateway",
    "ecr:LifecyclePolicy": "`image-ends`",
    "ecs:ClusterCapacityProviders": "Fargate, or Fargate Spot: `service-fargate`",
    "elasticache:ParameterGroup": "how memory is used",
    "kms:Alias": "a name",
    "pulumi:Stack": "`plain-output`",
    "route53:Record": "public by nature",
    "s3:BucketLifecycleConfiguration": "`bucket-forgets`",
    "s3:BucketOwnershipControls": "`bucket-no-acl`",
    "s3:BucketPublicAccessBlock": "`bucket-private`",
    "s3:BucketServerSideEncryptionConfiguration": "`bucket-encrypted`",
    "s3:BucketVersioning": "a log is written once",
    "wafv2:WebAclAssociation": "`balancer-firewall`",
}
"""Types that no policy is about by name, each with what looks at it from elsewhere, or why nothing in it can be wrong for a reviewer."""


def us_region(resource: Resource, _stack: Stack) -> Iterator[str]:
    region = resource.known("region") or resource.provider.get("region")
    if region is None:
        yield "region is unset, here and in its provider"
    elif region not in REGIONS:
        yield f"region = {region!r}; allowed: {', '.join(REGIONS)}"


def tags(resource: Resource, stack: Stack) -> Iterator[str]:
    every = resource.provider.get("defaultTags") or "{}"
    found = (json.loads(every) if isinstance(every, str) else every).get("tags") or {}
    for own in (resource.get("tags"), resource.get("tagsAll")):
        if isinstance(own, Unknown):
            raise UnknownValueError
        found = {**found, **(own if isinstance(own, Mapping) else {})}
    if missing := [tag for tag in TAGS if not found.get(tag)]:
        yield f"the tags {', '.join(missing)} are missing"
    elif found["stage"] != stack.name:
        yield f"the tag stage = {found['stage']!r}; allowed: {stack.name!r}"


def known_type(kinds: frozenset[str]) -> Policy:
    """The policy that no type is there which neither a policy of these kinds nor the list above knows."""

    def check(resource: Resource, _stack: Stack) -> Iterator[str]:
        if not any(fnmatchcase(resource.kind, kind) for kind in kinds | REVIEWED.keys()):
            yield f"no policy is about {resource.kind}"

    return Policy(
        name="known-type",
        title="Every type of resource was looked at by a reviewer",
        why="A policy can only find what somebody thought of: a type that is new in the stack would pass all of them unseen.",
        fix="Write a policy about the type, or add it to REVIEWED in policies/rules/stage.py with the reason why nothing in it matters.",
        on=("*",),
        check=check,
        severity="medium",
    )


POLICIES = (
    Policy(
        name="us-region",
        title="Everything is in a US region",
        why="OpenAI's servers are in the US: another region adds its distance to every token, and data would leave the country that "
        "contracts speak of.",
        fix=f"Set `region` to one of {', '.join(REGIONS)}, and pass the stage's own provider to every resource.",
        on=(AWS,),
        check=us_region,
        severity="high",
        covers=("vpc_different_regions",),
    ),
    Policy(
        name="tags",
        title="Everything has the tags project, stage and managed-by",
        why="Costs are told apart by tags, budgets filter by them, and whoever finds a resource sees who made it and that Pulumi owns it.",
        fix="Make the resource with the stage's own provider, whose default tags are these.",
        on=(AWS,),
        check=tags,
    ),
)
