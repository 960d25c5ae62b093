"""A network that was there before the stage."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from pulumi import InvokeOptions, Output, ResourceOptions, RunError
from pulumi_aws import ec2

from infra.config.stage import Stage
from infra.network import Network

SMALLEST_PUBLIC_PREFIX = 27
"""What a balancer needs to grow."""
LEAST_ZONES = 2


@dataclass(frozen=True)
class Subnet:
    """What is asked of a subnet."""

    id: str
    vpc_id: str
    zone: str
    cidr: str


class GivenNetwork(Network):
    """Somebody else's VPC and the subnets of it that the stage may use; the stage makes nothing of a network.

    Ways out, endpoints, flow logs and the default security group are its owner's. AWS is asked about it at once, at preview too, and
    what would fail later, half-way through a deployment, is refused before any resource of the stage is made.
    """

    def __init__(self, *, stage: Stage, opts: ResourceOptions | None = None) -> None:
        super().__init__("gateway:network:Network", "network", None, opts)
        look = InvokeOptions(parent=self)
        problems = list(_wrong_network(stage, look))
        problems += wrong_subnets(stage, subnets_of({*stage.public_subnet_ids, *stage.private_subnet_ids}, look))
        if problems:
            raise RunError("\n  ".join([f"The network that is given to stage {stage.name!r} cannot be used:", *problems]))
        self.own = False
        self.vpc_id = Output.from_input(stage.vpc_id)
        self.public_subnet_ids = [Output.from_input(subnet) for subnet in stage.public_subnet_ids]
        self.private_subnet_ids = [Output.from_input(subnet) for subnet in stage.private_subnet_ids]
        self.way_in = []
        self.register_outputs({"vpcId": self.vpc_id})


def subnets_of(ids: set[str], look: InvokeOptions) -> dict[str, Subnet]:
    """Those of the subnets that exist, by id."""
    there = ec2.get_subnets(filters=[{"name": "subnet-id", "values": sorted(ids)}], opts=look).ids
    answers = [ec2.get_subnet(id=subnet, opts=look) for subnet in there]
    return {one.id: Subnet(one.id, one.vpc_id, one.availability_zone, one.cidr_block) for one in answers}


def _wrong_network(stage: Stage, look: InvokeOptions) -> Iterator[str]:
    value = f"vpcId = {stage.vpc_id!r}"
    if not ec2.get_vpcs(filters=[{"name": "vpc-id", "values": [stage.vpc_id]}], opts=look).ids:
        yield f"{value}: there is none in {stage.region} that this account can see; allowed: the id of a network there"
        return
    found = ec2.get_vpc(id=stage.vpc_id, opts=look)
    if not found.enable_dns_support:
        yield f"{value}: it has no DNS, by which tasks find OpenAI, AWS and the cache; allowed: with enableDnsSupport"
    if stage.interface_endpoints and not found.enable_dns_hostnames:
        yield f"{value}: it has no DNS host names, which interfaceEndpoints need; allowed: with enableDnsHostnames, or no such endpoints"


def wrong_subnets(stage: Stage, found: Mapping[str, Subnet]) -> Iterator[str]:
    """What is wrong with the subnets; `found` are those that exist."""
    for key, ids, one_a_zone in (
        ("publicSubnetIds", stage.public_subnet_ids, "a balancer"),
        ("privateSubnetIds", stage.private_subnet_ids, "an interface endpoint" if stage.interface_endpoints else ""),
    ):
        value = f"{key} = {json.dumps(ids)}"
        inside = []
        for subnet in ids:
            if subnet not in found:
                yield f"{value}: {subnet} does not exist in {stage.region}; allowed: subnets of vpcId = {stage.vpc_id!r}"
            elif found[subnet].vpc_id != stage.vpc_id:
                yield f"{value}: {subnet} is in {found[subnet].vpc_id}; allowed: subnets of vpcId = {stage.vpc_id!r}"
            else:
                inside.append(found[subnet])
        if len(inside) == len(ids):
            yield from (f"{value}: {problem}" for problem in _zones(inside, one_a_zone))
        if key == "publicSubnetIds":
            yield from (f"{value}: {problem}" for problem in _sizes(inside))


def _zones(subnets: Sequence[Subnet], one_a_zone: str) -> Iterator[str]:
    zones: dict[str, list[str]] = defaultdict(list)
    for subnet in subnets:
        zones[subnet.zone].append(subnet.id)
    if len(zones) < LEAST_ZONES:
        yield f"all are in {', '.join(zones)}; allowed: in {LEAST_ZONES} zones or more"
        return
    for zone, ids in zones.items():
        if one_a_zone and len(ids) > 1:
            yield f"{' and '.join(ids)} are in {zone}; allowed: one of each zone, {one_a_zone} takes no more"


def _sizes(subnets: Sequence[Subnet]) -> Iterator[str]:
    for subnet in subnets:
        if not subnet.cidr or IPv4Network(subnet.cidr).prefixlen > SMALLEST_PUBLIC_PREFIX:
            yield f"{subnet.id} is {subnet.cidr or 'IPv6 only'}; allowed: /{SMALLEST_PUBLIC_PREFIX} or larger, for the balancer"
