"""Security groups: who may talk to whom."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from policies.policy import Policy, absent, every, given, refused
from policies.stack import Resource, Stack

HTTP, HTTPS = 80, 443
INGRESS, EGRESS = "vpc:SecurityGroupIngressRule", "vpc:SecurityGroupEgressRule"
MEMBERS = (
    ("lb:LoadBalancer", "securityGroups"),
    ("ecs:Service", "networkConfiguration"),
    ("elasticache:ReplicationGroup", "securityGroupIds"),
    ("ec2:VpcEndpoint", "securityGroupIds"),
)


def public(rule: Resource) -> bool:
    """Whether it is about addresses of the internet."""
    ranges = [rule.known(path) for path in ("cidrIpv4", "cidrIpv6")]
    return any(not ip_network(cidr, strict=False).is_private or cidr.endswith("/0") for cidr in ranges if cidr)


def ports(rule: Resource) -> str:
    protocol, first, last = (rule.known(path) for path in ("ipProtocol", "fromPort", "toPort"))
    return f"{protocol} {first}" if first == last and first is not None else f"{protocol} {first} to {last}"


def few_ports(rule: Resource, _stack: Stack) -> Iterator[str]:
    if public(rule) and ports(rule) not in (f"tcp {HTTP}", f"tcp {HTTPS}"):
        yield f"it lets the internet in on {ports(rule)}; allowed: tcp {HTTP} and tcp {HTTPS}, at the balancer"


def balancer_only(rule: Resource, stack: Stack) -> Iterator[str]:
    if public(rule):
        for group in stack.targets(rule, "securityGroupId", "ec2:SecurityGroup"):
            if not stack.linked("lb:LoadBalancer", "securityGroups", group):
                yield f"it lets the internet into {group.label}, which is not the balancer's"


def few_ways_out(rule: Resource, _stack: Stack) -> Iterator[str]:
    if public(rule) and ports(rule) != f"tcp {HTTPS}":
        yield f"it lets out to the internet on {ports(rule)}; allowed: tcp {HTTPS}"


def used(group: Resource, stack: Stack) -> Iterator[str]:
    if not any(stack.linked(kind, path, group) for kind, path in MEMBERS):
        yield "nothing is in it"


POLICIES = (
    Policy(
        name="ingress-ports",
        title="The internet gets in on ports 80 and 443 only",
        why="Every other open port is a program that was never meant for strangers.",
        fix="referenced_security_group_id instead of a range, or port 80 or 443.",
        on=(INGRESS,),
        check=few_ports,
        severity="critical",
        covers=(
            *("CKV_AWS_24", "CKV_AWS_25", "CKV_AWS_277"),
            "ec2_securitygroup_allow_ingress_from_internet_to_all_ports",
        ),
    ),
    Policy(
        name="ingress-balancer",
        title="The internet gets in at the balancer only",
        why="Only there are TLS and the firewall.",
        fix="Let the balancer's group in instead, by referenced_security_group_id.",
        on=(INGRESS,),
        check=balancer_only,
        severity="critical",
        covers=("ec2_securitygroup_allow_ingress_from_internet_to_any_port",),
        whole=True,
    ),
    Policy(
        name="egress-ports",
        title="The way out to the internet is port 443 only",
        why="A task that was taken over could otherwise send what it knows to anyone, by any protocol.",
        fix="A rule for tcp 443, or for a group by referenced_security_group_id.",
        on=(EGRESS,),
        check=few_ways_out,
        severity="high",
        covers=("CKV_AWS_382",),
    ),
    Policy(
        name="group-described",
        title="Every security group and rule has a description",
        why="Whoever must decide whether a way may be closed reads what it is for.",
        fix="Say in its description what it is for.",
        on=("ec2:SecurityGroup", INGRESS, EGRESS),
        check=given("description", unlike="Managed by"),
        severity="low",
        covers=("CKV_AWS_23", "AwsSolutions-EC27"),
    ),
    Policy(
        name="group-rules-apart",
        title="A group's rules are resources of their own",
        why="Rules inside a group and rules beside it undo each other's work, and the policies about rules do not see those inside.",
        fix="vpc.SecurityGroupIngressRule and vpc.SecurityGroupEgressRule.",
        on=("ec2:SecurityGroup",),
        check=every(absent("ingress"), absent("egress")),
        severity="high",
    ),
    Policy(
        name="group-rules-of-today",
        title="No rule is of the older type",
        why="An ec2.SecurityGroupRule holds several ranges at once and is not what the policies about rules look at.",
        fix="vpc.SecurityGroupIngressRule and vpc.SecurityGroupEgressRule.",
        on=("ec2:SecurityGroupRule",),
        check=refused("it is an ec2.SecurityGroupRule"),
    ),
    Policy(
        name="group-used",
        title="Every security group has members",
        why="One without is a hole that waits for somebody to attach it.",
        fix="Take it out.",
        on=("ec2:SecurityGroup",),
        check=used,
        severity="low",
        covers=("CKV2_AWS_5",),
        whole=True,
    ),
)
