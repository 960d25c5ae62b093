"""A stage in a network that was there before: used as it is, and refused where it would fail later."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from infra.config.stage import Stage
from infra.given_network import Subnet, wrong_subnets
from sandbox.aws import Aws
from sandbox.aws_server import AwsServer
from sandbox.deploy import events
from sandbox.errors import SandboxError
from sandbox.stack import configuration
from tests.infra.deployment import Deployment, deploy

VPC, OTHER_VPC = "vpc-12345678", "vpc-87654321"
PUBLIC, PRIVATE = ["subnet-0000000a", "subnet-0000000b"], ["subnet-0000000c", "subnet-0000000d"]
GIVEN = {"vpcId": VPC, "publicSubnetIds": PUBLIC, "privateSubnetIds": PRIVATE}
OF_A_NETWORK = {
    "ec2:DefaultSecurityGroup",
    "ec2:Eip",
    "ec2:FlowLog",
    "ec2:InternetGateway",
    "ec2:NatGateway",
    "ec2:Route",
    "ec2:RouteTable",
    "ec2:RouteTableAssociation",
    "ec2:Subnet",
    "ec2:Vpc",
    "ec2:VpcEndpoint",
}


@pytest.fixture
def given() -> Deployment:
    return deploy("prod", **GIVEN)


def test_nothing_of_a_network_is_made(given: Deployment, prod: Deployment) -> None:
    assert {kind for kind, _ in prod.resources} >= OF_A_NETWORK, "what an own network has"
    assert {kind for kind, _ in given.resources} & OF_A_NETWORK == set()
    made = {key for key in prod.resources if key[0] not in OF_A_NETWORK}
    assert given.resources.keys() == made, "and all the rest is the same"


def test_the_stage_is_in_the_subnets_that_are_given(given: Deployment) -> None:
    assert given.one("lb:LoadBalancer", "gateway").inputs["subnets"] == PUBLIC
    service = given.one("ecs:Service", "gateway").inputs["networkConfiguration"]
    assert service["subnets"] == given.one("elasticache:SubnetGroup", "cache").inputs["subnetIds"] == PRIVATE
    assert service["assignPublicIp"] is False
    for group in given.all("ec2:SecurityGroup").values():
        assert group.inputs["vpcId"] == VPC
    assert given.one("lb:TargetGroup", "tasks").inputs["vpcId"] == VPC


def stage(**overrides: object) -> Stage:
    values = {key.partition(":")[2]: value for key, value in configuration("local", {}).items()}
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in (GIVEN | overrides).items()}
    return Stage.read(values | texts, project="openai-gateway", name="local")


GOOD = {
    subnet: Subnet(subnet, VPC, f"us-east-1{zone}", f"10.0.{place}.0/27")
    for place, (subnet, zone) in enumerate(zip(PUBLIC + PRIVATE, "abab", strict=True))
}


def changed(subnet: str, **values: str) -> dict[str, Subnet]:
    return GOOD | {subnet: replace(GOOD[subnet], **values)}


def test_good_subnets_are_taken() -> None:
    assert list(wrong_subnets(stage(), GOOD)) == []
    assert list(wrong_subnets(stage(interfaceEndpoints=["logs"]), GOOD)) == []
    assert list(wrong_subnets(stage(), changed(PRIVATE[0], cidr="10.0.9.0/28"))) == [], "tasks may have few addresses"
    many = stage(privateSubnetIds=[*PRIVATE, "subnet-0000000e"])
    assert list(wrong_subnets(many, GOOD | {"subnet-0000000e": Subnet("subnet-0000000e", VPC, "us-east-1a", "10.0.9.0/24")})) == []


@pytest.mark.parametrize(
    ("found", "key", "problem"),
    [
        (
            {name: subnet for name, subnet in GOOD.items() if name != PUBLIC[1]},
            "publicSubnetIds",
            f"{PUBLIC[1]} does not exist in us-east-1; allowed: subnets of vpcId = '{VPC}'",
        ),
        (
            changed(PRIVATE[0], vpc_id=OTHER_VPC),
            "privateSubnetIds",
            f"{PRIVATE[0]} is in {OTHER_VPC}; allowed: subnets of vpcId = '{VPC}'",
        ),
        (changed(PUBLIC[1], zone="us-east-1a"), "publicSubnetIds", "all are in us-east-1a; allowed: in 2 zones or more"),
        (changed(PRIVATE[1], zone="us-east-1a"), "privateSubnetIds", "all are in us-east-1a; allowed: in 2 zones or more"),
        (
            changed(PUBLIC[0], cidr="10.0.0.0/28"),
            "publicSubnetIds",
            f"{PUBLIC[0]} is 10.0.0.0/28; allowed: /27 or larger, for the balancer",
        ),
        (changed(PUBLIC[0], cidr=""), "publicSubnetIds", f"{PUBLIC[0]} is IPv6 only; allowed: /27 or larger, for the balancer"),
    ],
)
def test_what_a_subnet_must_be(found: dict[str, Subnet], key: str, problem: str) -> None:
    value = json.dumps({"publicSubnetIds": PUBLIC, "privateSubnetIds": PRIVATE}[key])
    assert list(wrong_subnets(stage(), found)) == [f"{key} = {value}: {problem}"]


@pytest.mark.parametrize("key", ["publicSubnetIds", "privateSubnetIds"])
def test_two_in_one_zone_are_one_too_many_for_a_balancer_and_for_endpoints(key: str) -> None:
    ids = [*GIVEN[key], "subnet-0000000e"]
    found = GOOD | {"subnet-0000000e": Subnet("subnet-0000000e", VPC, "us-east-1a", "10.0.9.0/24")}
    who = "a balancer" if key == "publicSubnetIds" else "an interface endpoint"
    assert list(wrong_subnets(stage(interfaceEndpoints=["logs"], **{key: ids}), found)) == [
        f"{key} = {json.dumps(ids)}: {ids[0]} and subnet-0000000e are in us-east-1a; allowed: one of each zone, {who} takes no more"
    ]


@dataclass
class Account:
    """The emulated AWS, with networks in it."""

    aws: Aws

    def network(self, *, dns: bool = True, host_names: bool = False) -> str:
        client = self.aws.client("ec2")
        vpc = str(client.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"])
        client.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": dns})
        client.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": host_names})
        gateway = client.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        client.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        return vpc

    def subnet(self, vpc: str, zone: str, cidr: str) -> str:
        made = self.aws.client("ec2").create_subnet(VpcId=vpc, AvailabilityZone=f"us-east-1{zone}", CidrBlock=cidr)
        return str(made["Subnet"]["SubnetId"])

    def subnets(self, vpc: str) -> dict[str, Any]:
        places = [(zone, f"10.9.{place}.0/24") for place, zone in enumerate("abab")]
        made = [self.subnet(vpc, zone, cidr) for zone, cidr in places]
        return {"vpcId": vpc, "publicSubnetIds": made[:2], "privateSubnetIds": made[2:]}

    def deploy(self, **overrides: object) -> set[tuple[str, str]]:
        """Run the program in it; what it made."""
        texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in overrides.items()}

        async def run() -> set[tuple[str, str]]:
            environment = {"AWS_ENDPOINT_URL": self.aws.endpoint, "SANDBOX_OPENAI_KEY": "sk-of-nobody"}
            return {
                (event["resource"]["type"], event["resource"]["how"])
                async for event in events("sandbox.program", "local", texts, environment)
                if "resource" in event
            }

        return asyncio.run(run())

    def refusal(self, **overrides: object) -> list[str]:
        """The problems, of which each is a line, and nothing was made."""
        before = self.made()
        with pytest.raises(SandboxError) as refused:
            self.deploy(**overrides)
        assert self.made() == before, "refused before any resource exists"
        said = str(refused.value)
        assert "Traceback" not in said
        head, *problems = said.splitlines()
        assert head == "The network that is given to stage 'local' cannot be used:"
        return [problem.strip() for problem in problems]

    def made(self) -> list[object]:
        keys, groups = self.aws.client("kms").list_keys()["Keys"], self.aws.client("logs").describe_log_groups()["logGroups"]
        return [len(keys), len(groups), self.aws.client("s3").list_buckets()["Buckets"]]


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    server = AwsServer()
    asyncio.run(server.start())
    yield Account(Aws(server.url, "us-east-1"))
    asyncio.run(server.stop())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # moto's own
def test_the_program_deploys_into_a_network_that_is_there(account: Account) -> None:
    here = account.subnets(account.network(host_names=True))
    client = account.aws.client("ec2")
    before = len(client.describe_vpcs()["Vpcs"])
    made = account.deploy(**here, interfaceEndpoints=["logs"])
    assert ("aws:ecs/service:Service", "created") in made
    assert len(client.describe_vpcs()["Vpcs"]) == before
    assert not client.describe_nat_gateways()["NatGateways"]
    (balancer,) = account.aws.client("elbv2").describe_load_balancers()["LoadBalancers"]
    assert balancer["VpcId"] == here["vpcId"]
    assert {zone["SubnetId"] for zone in balancer["AvailabilityZones"]} == set(here["publicSubnetIds"])
    (endpoint,) = client.describe_vpc_endpoints()["VpcEndpoints"]
    assert set(endpoint["SubnetIds"]) == set(here["privateSubnetIds"])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # moto's own
def test_all_that_is_wrong_is_said_at_once(account: Account) -> None:
    here, elsewhere = account.network(dns=False), account.network()
    public = [account.subnet(here, "a", "10.9.0.0/28"), account.subnet(elsewhere, "b", "10.9.1.0/24")]
    private = [account.subnet(here, "a", "10.9.2.0/24"), account.subnet(here, "a", "10.9.3.0/24"), "subnet-00000000"]
    problems = account.refusal(vpcId=here, publicSubnetIds=public, privateSubnetIds=private, interfaceEndpoints=["logs"])
    keys = [re.sub(r" = .*", "", problem) for problem in problems]
    assert keys == ["vpcId", "vpcId", "publicSubnetIds", "publicSubnetIds", "privateSubnetIds"]
    assert "enableDnsSupport" in problems[0]
    assert "enableDnsHostnames" in problems[1]
    assert f"{public[1]} is in {elsewhere}" in problems[2]
    assert "/27 or larger" in problems[3]
    assert "subnet-00000000 does not exist" in problems[4]
    assert all(f"{here!r}" in problem or json.dumps(public) in problem or json.dumps(private) in problem for problem in problems)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # moto's own
def test_a_network_that_is_not_there_is_refused(account: Account) -> None:
    here = account.subnets(account.network())
    problems = account.refusal(**here | {"vpcId": "vpc-00000000"})
    assert problems[0] == "vpcId = 'vpc-00000000': there is none in us-east-1 that this account can see; allowed: the id of a network there"
    assert len(problems) == 1 + 4, "and its subnets are somewhere else"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # moto's own
def test_subnets_in_one_zone_are_refused(account: Account) -> None:
    here = account.network()
    made = [account.subnet(here, "c", f"10.9.{place}.0/24") for place in range(4)]
    problems = account.refusal(vpcId=here, publicSubnetIds=made[:2], privateSubnetIds=made[2:])
    assert problems == [
        f"publicSubnetIds = {json.dumps(made[:2])}: all are in us-east-1c; allowed: in 2 zones or more",
        f"privateSubnetIds = {json.dumps(made[2:])}: all are in us-east-1c; allowed: in 2 zones or more",
    ]
