from __future__ import annotations

import json
from ipaddress import IPv4Network

from tests.infra.deployment import ACCOUNT, Deployment

ANYWHERE = "0.0.0.0/0"
RULES = ("vpc:SecurityGroupIngressRule", "vpc:SecurityGroupEgressRule")


def ways(deployed: Deployment, kind: str) -> set[tuple[str, int, str]]:
    """Who is opened on which port to whom."""
    names = {group.id: name for name, group in deployed.all("ec2:SecurityGroup").items()}
    found = set()
    for rule in deployed.all(kind).values():
        given = rule.inputs
        assert given["ipProtocol"] == "tcp"
        assert given["fromPort"] == given["toPort"]
        peer = given.get("cidrIpv4") or names[given["referencedSecurityGroupId"]]
        found.add((names[given["securityGroupId"]], int(given["fromPort"]), peer))
    return found


def test_only_the_balancer_is_open_to_the_internet(deployed: Deployment) -> None:
    ports = {80, 443} if deployed.outputs["url"].startswith("https") else {80}
    assert ways(deployed, RULES[0]) == {
        *(("balancer", port, ANYWHERE) for port in ports),
        ("tasks", 8080, "balancer"),
        ("cache", 6379, "tasks"),
    }


def test_what_each_group_may_reach(deployed: Deployment) -> None:
    assert ways(deployed, RULES[1]) == {("balancer", 8080, "tasks"), ("tasks", 6379, "cache"), ("tasks", 443, ANYWHERE)}


def test_rules_have_one_owner_and_say_what_they_are_for(deployed: Deployment) -> None:
    for group in deployed.all("ec2:SecurityGroup").values():
        assert not {"ingress", "egress"} & group.inputs.keys()
    for kind in RULES:
        assert all(rule.inputs["description"] for rule in deployed.all(kind).values())


def test_no_group_has_a_name_that_aws_refuses(deployed: Deployment) -> None:
    assert not [name for name in deployed.all("ec2:SecurityGroup") if name.startswith("sg")]


def test_the_default_group_is_emptied(deployed: Deployment) -> None:
    given = deployed.one("ec2:DefaultSecurityGroup", "default").inputs
    assert given["vpcId"] == deployed.one("ec2:Vpc", "network").id
    assert not given.get("ingress")
    assert not given.get("egress")


def test_each_zone_has_a_public_and_a_private_subnet(deployed: Deployment) -> None:
    subnets = deployed.all("ec2:Subnet")
    zones = [subnet.inputs["availabilityZone"] for name, subnet in sorted(subnets.items()) if name.startswith("private")]
    assert len(set(zones)) == len(zones) >= 2
    assert zones == [subnet.inputs["availabilityZone"] for name, subnet in sorted(subnets.items()) if name.startswith("public")]
    assert {subnet.inputs["mapPublicIpOnLaunch"] for subnet in subnets.values()} == {False}
    whole = IPv4Network(deployed.one("ec2:Vpc", "network").inputs["cidrBlock"])
    assert all(IPv4Network(subnet.inputs["cidrBlock"]).subnet_of(whole) for subnet in subnets.values())


def test_tasks_and_cache_are_in_private_subnets_and_the_balancer_in_public_ones(deployed: Deployment) -> None:
    subnets = deployed.all("ec2:Subnet")
    private = {subnet.id for name, subnet in subnets.items() if name.startswith("private")}
    public = {subnet.id for name, subnet in subnets.items() if name.startswith("public")}
    service = deployed.one("ecs:Service", "gateway").inputs["networkConfiguration"]
    assert set(service["subnets"]) == private
    assert service["assignPublicIp"] is False
    assert set(deployed.one("elasticache:SubnetGroup", "cache").inputs["subnetIds"]) == private
    assert set(deployed.one("lb:LoadBalancer", "gateway").inputs["subnets"]) == public


def test_private_subnets_reach_out_through_nat_and_public_ones_directly(deployed: Deployment) -> None:
    subnets = {subnet.id: name for name, subnet in deployed.all("ec2:Subnet").items()}
    tables = {item.inputs["subnetId"]: item.inputs["routeTableId"] for item in deployed.all("ec2:RouteTableAssociation").values()}
    routes = {route.inputs["routeTableId"]: route.inputs for route in deployed.all("ec2:Route").values()}
    gateways = {gateway.id: gateway.inputs["subnetId"] for gateway in deployed.all("ec2:NatGateway").values()}
    assert tables.keys() == subnets.keys()
    for subnet, name in subnets.items():
        route = routes[tables[subnet]]
        assert route["destinationCidrBlock"] == ANYWHERE
        if name.startswith("public"):
            assert route["gatewayId"] == deployed.one("ec2:InternetGateway", "network").id
        else:
            assert subnets[gateways[route["natGatewayId"]]].startswith("public")


def test_staging_has_one_way_out_and_prod_one_in_each_zone(staging: Deployment, prod: Deployment) -> None:
    assert len(staging.all("ec2:NatGateway")) == 1
    assert len(prod.all("ec2:NatGateway")) == 3
    used = [route.inputs["natGatewayId"] for route in prod.all("ec2:Route").values() if "natGatewayId" in route.inputs]
    assert len(set(used)) == len(used) == 3


def test_what_needs_the_internet_gateway_waits_for_it(deployed: Deployment) -> None:
    internet = "ec2:InternetGateway", "network"
    assert internet in deployed.one("lb:LoadBalancer", "gateway").depends_on
    assert all(internet in gateway.depends_on for gateway in deployed.all("ec2:NatGateway").values())


def test_s3_is_reached_without_nat(deployed: Deployment) -> None:
    endpoint = deployed.one("ec2:VpcEndpoint", "s3").inputs
    private = {table.id for name, table in deployed.all("ec2:RouteTable").items() if name.startswith("private")}
    assert endpoint["vpcEndpointType"] == "Gateway"
    assert endpoint["serviceName"] == "com.amazonaws.us-east-1.s3"
    assert set(endpoint["routeTableIds"]) == private


def test_everything_is_in_the_region_that_is_configured(varied: Deployment) -> None:
    assert varied.one("pulumi:aws", "aws").inputs["region"] == "us-west-2"
    assert {subnet.inputs["availabilityZone"][:-1] for subnet in varied.all("ec2:Subnet").values()} == {"us-west-2"}
    assert varied.environment()["AWS_REGION"] == varied.outputs["region"] == "us-west-2"
    everything = json.dumps([resource.inputs for resource in varied.resources.values()])
    assert "us-east-1" not in everything


def test_everything_carries_the_stage(deployed: Deployment) -> None:
    given = deployed.one("pulumi:aws", "aws").inputs
    tags = {"project": "openai-gateway", "stage": deployed.environment()["GATEWAY_STAGE"], "managed-by": "pulumi"}
    assert json.loads(given["defaultTags"]) == {"tags": tags}
    assert "allowedAccountIds" not in given


def test_only_the_accounts_that_are_allowed_are_used(varied: Deployment) -> None:
    assert json.loads(varied.one("pulumi:aws", "aws").inputs["allowedAccountIds"]) == [ACCOUNT]
