"""The network: what is public, what is written down about it, and what fails together."""

from __future__ import annotations

from collections.abc import Iterator

from policies.documents import allows, limited, principals, statements
from policies.policy import Check, Policy, at_least, equals, every, given, has, refused
from policies.stack import Resource, Stack

LEAST_ZONES = 2


def emptied(group: Resource) -> bool:
    return not group.known("ingress") and not group.known("egress")


def several_zones(network: Resource, stack: Stack) -> Iterator[str]:
    zones = {subnet.known("availabilityZone") for subnet in stack.linked("ec2:Subnet", "vpcId", network)}
    if len(zones) < LEAST_ZONES:
        yield f"its subnets are in {', '.join(sorted(map(str, zones))) or 'no zone'}; allowed: {LEAST_ZONES} zones or more"


def private(path: str) -> Check:
    """None of the subnets at the path has a route to an internet gateway."""

    def check(resource: Resource, stack: Stack) -> Iterator[str]:
        for subnet in stack.targets(resource, path, "ec2:Subnet"):
            for way in stack.linked("ec2:RouteTableAssociation", "subnetId", subnet):
                for table in stack.targets(way, "routeTableId", "ec2:RouteTable"):
                    for route in stack.linked("ec2:Route", "routeTableId", table):
                        if stack.targets(route, "gatewayId", "ec2:InternetGateway"):
                            yield f"it is in {subnet.label}, which has a route to the internet: {route.label}"

    return check


def admits_few(endpoint: Resource, _stack: Stack) -> Iterator[str]:
    for statement in statements(endpoint, "policy"):
        if allows(statement) and ("AWS", "*") in principals(statement) and not limited(statement):
            yield "its policy admits every account"


def closed(endpoint: Resource, stack: Stack) -> Iterator[str]:
    if endpoint.known("vpcEndpointType") == "Interface":
        yield from every(given("securityGroupIds"), given("policy"), admits_few)(endpoint, stack)


POLICIES = (
    Policy(
        name="subnet-gives-no-address",
        title="No subnet gives out public addresses by itself",
        why="What is started there by mistake would be on the internet.",
        fix="map_public_ip_on_launch=False.",
        on=("ec2:Subnet",),
        check=equals("mapPublicIpOnLaunch", False, None),
        covers=("CKV_AWS_130", "vpc_subnet_no_public_ip_by_default"),
    ),
    Policy(
        name="default-group-empty",
        title="The default security group of a network lets nothing in or out",
        why="AWS attaches it wherever no group is named, so a mistake would open ways that nobody chose.",
        fix="An ec2.DefaultSecurityGroup with ingress=[] and egress=[].",
        on=("ec2:Vpc",),
        check=has("ec2:DefaultSecurityGroup", "vpcId", emptied, "with no ingress and no egress"),
        covers=("CKV2_AWS_12", "ec2_securitygroup_default_restrict_traffic"),
        whole=True,
    ),
    Policy(
        name="flow-logs",
        title="A network's flows are logged",
        why="Without them nobody can tell afterwards what talked to whom.",
        fix="An ec2.FlowLog of the VPC with traffic_type='ALL'.",
        on=("ec2:Vpc",),
        check=has("ec2:FlowLog", "vpcId", lambda log: bool(log.known("trafficType") == "ALL"), "with trafficType ALL"),
        covers=("CKV2_AWS_11", "vpc_flow_logs_enabled", "AwsSolutions-VPC7"),
        whole=True,
    ),
    Policy(
        name="network-several-zones",
        title="A network's subnets are in two zones or more",
        why="AWS loses a zone now and then; a stage that is in one zone goes with it.",
        fix="`zones` of 2 or 3.",
        on=("ec2:Vpc",),
        check=several_zones,
        covers=("vpc_subnet_different_az",),
        whole=True,
    ),
    Policy(
        name="balancer-several-zones",
        title="The balancer has subnets in two zones or more",
        why="One zone's failure would take every caller down.",
        fix="Give it a public subnet of each zone.",
        on=("lb:LoadBalancer",),
        check=at_least("subnets", LEAST_ZONES),
        covers=("elbv2_is_in_multiple_az",),
    ),
    Policy(
        name="service-several-zones",
        title="Tasks run in two zones or more",
        why="One zone's failure would stop all of them.",
        fix="Give the service a private subnet of each zone.",
        on=("ecs:Service",),
        check=at_least("networkConfiguration.subnets", LEAST_ZONES),
    ),
    Policy(
        name="service-private",
        title="Tasks are in subnets that the internet has no way into",
        why="Nothing but the balancer may reach a task: it trusts that callers came through TLS and the firewall.",
        fix="Private subnets, whose way out is a NAT gateway.",
        on=("ecs:Service",),
        check=private("networkConfiguration"),
        severity="high",
        covers=("vpc_subnet_separate_private_public",),
        whole=True,
    ),
    Policy(
        name="cache-private",
        title="The cache is in subnets of several zones that the internet has no way into",
        why="It holds callers' answers and budgets.",
        fix="Private subnets, one of each zone.",
        on=("elasticache:SubnetGroup",),
        check=every(at_least("subnetIds", LEAST_ZONES), private("subnetIds")),
        severity="high",
        covers=("elasticache_cluster_uses_public_subnet",),
        whole=True,
    ),
    Policy(
        name="endpoint-closed",
        title="An interface endpoint has a group and a policy, and admits only an account that it names",
        why="Without a policy whoever is in the network can send data through it into an account of their own.",
        fix="security_group_ids, and a policy with a condition on aws:PrincipalAccount or aws:ResourceAccount.",
        on=("ec2:VpcEndpoint",),
        check=closed,
        covers=("vpc_endpoint_connections_trust_boundaries",),
    ),
    Policy(
        name="no-network-acl",
        title="There is no network ACL",
        why="They are stateless and apply to whole subnets: nobody keeps them right, and groups do the same and better.",
        fix="Rules of security groups.",
        on=("ec2:NetworkAcl", "ec2:NetworkAclRule", "ec2:DefaultNetworkAcl"),
        check=refused("it is a network ACL"),
        severity="low",
        covers=("AwsSolutions-VPC3",),
    ),
)
