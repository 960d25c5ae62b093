"""A network of the stage's own."""

from __future__ import annotations

from collections.abc import Sequence

from pulumi import InvokeOptions, Output, ResourceOptions, RunError
from pulumi_aws import ec2, get_availability_zones_output

from infra.config import subnets
from infra.config.stage import Stage
from infra.network import ANYWHERE, Network

POOR_ZONES = ["use1-az3"]
"""Zones in which AWS offers no new services; a network there finds no capacity."""


class OwnNetwork(Network):
    """A VPC with a public and a private subnet in each zone.

    Only the balancer and the NAT gateways are in public subnets. Tasks and cache are in private ones and reach out through NAT, one for
    all zones or one for each. S3, from which images are pulled, is reached by a gateway endpoint that costs nothing. The default
    security group, which AWS attaches where none is named, is emptied.
    """

    def __init__(self, *, stage: Stage, opts: ResourceOptions | None = None) -> None:
        super().__init__("gateway:network:Network", "network", None, opts)
        self.own = True
        self._child = ResourceOptions(parent=self)
        self._label = stage.label
        self._vpc = ec2.Vpc(
            "network",
            cidr_block=stage.vpc_cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags={"Name": stage.label},
            opts=self._child,
        )
        self.vpc_id = self._vpc.id
        ec2.DefaultSecurityGroup("default", vpc_id=self.vpc_id, ingress=[], egress=[], opts=self._child)
        found = get_availability_zones_output(
            state="available",
            filters=[{"name": "opt-in-status", "values": ["opt-in-not-required"]}],
            exclude_zone_ids=POOR_ZONES,
            opts=InvokeOptions(parent=self),
        )
        zones = [found.names.apply(lambda names, index=index: _zone(names, index, stage)) for index in range(stage.zones)]
        ranges = subnets.layout(stage.vpc_cidr, stage.zones)
        public = self._subnets("public", zones, ranges.public)
        private = self._subnets("private", zones, ranges.private)
        self.public_subnet_ids = [subnet.id for subnet in public]
        self.private_subnet_ids = [subnet.id for subnet in private]
        self._internet = ec2.InternetGateway("network", vpc_id=self.vpc_id, tags={"Name": stage.label}, opts=self._child)
        self.way_in = [self._internet]
        self._route_public(public)
        self._route_private(stage, public, private)
        self.register_outputs({"vpcId": self.vpc_id})

    def _subnets(self, kind: str, zones: Sequence[Output[str]], ranges: Sequence[str]) -> list[ec2.Subnet]:
        return [
            ec2.Subnet(
                f"{kind}-{index}",
                vpc_id=self.vpc_id,
                cidr_block=cidr,
                availability_zone=zone,
                map_public_ip_on_launch=False,
                tags={"Name": f"{self._label}-{kind}-{index}"},
                opts=self._child,
            )
            for index, (zone, cidr) in enumerate(zip(zones, ranges, strict=True))
        ]

    def _table(self, name: str, subnet_ids: dict[str, Output[str]]) -> ec2.RouteTable:
        table = ec2.RouteTable(name, vpc_id=self.vpc_id, tags={"Name": f"{self._label}-{name}"}, opts=self._child)
        for subnet, subnet_id in subnet_ids.items():
            ec2.RouteTableAssociation(subnet, subnet_id=subnet_id, route_table_id=table.id, opts=self._child)
        return table

    def _route_public(self, public: Sequence[ec2.Subnet]) -> None:
        table = self._table("public", {f"public-{index}": subnet.id for index, subnet in enumerate(public)})
        ec2.Route("public", route_table_id=table.id, destination_cidr_block=ANYWHERE, gateway_id=self._internet.id, opts=self._child)

    def _route_private(self, stage: Stage, public: Sequence[ec2.Subnet], private: Sequence[ec2.Subnet]) -> None:
        outlets = [self._nat(index, subnet) for index, subnet in enumerate(public if stage.nat_gateways == "perZone" else public[:1])]
        tables = []
        for index, subnet in enumerate(private):
            table = self._table(f"private-{index}", {f"private-{index}": subnet.id})
            tables.append(table.id)
            ec2.Route(
                f"private-{index}",
                route_table_id=table.id,
                destination_cidr_block=ANYWHERE,
                nat_gateway_id=outlets[index % len(outlets)].id,
                opts=self._child,
            )
        ec2.VpcEndpoint(
            "s3",
            vpc_id=self.vpc_id,
            service_name=f"com.amazonaws.{stage.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=tables,
            tags={"Name": f"{self._label}-s3"},
            opts=self._child,
        )

    def _nat(self, index: int, subnet: ec2.Subnet) -> ec2.NatGateway:
        tags = {"Name": f"{self._label}-{index}"}
        address = ec2.Eip(f"nat-{index}", domain="vpc", tags=tags, opts=self._child)
        opts = ResourceOptions.merge(self._child, ResourceOptions(depends_on=[self._internet]))
        return ec2.NatGateway(f"nat-{index}", subnet_id=subnet.id, allocation_id=address.id, tags=tags, opts=opts)


def _zone(names: Sequence[str], index: int, stage: Stage) -> str:
    if index >= len(names):
        raise RunError(f"zones = {stage.zones}: this account has {len(names)} in {stage.region}: {', '.join(sorted(names))}")
    return sorted(names)[index]
