"""AWS services that tasks reach inside the network."""

from __future__ import annotations

import pytest

from tests.infra.access import Call, allowed
from tests.infra.deployment import ACCOUNT, Deployment, deploy

SERVICES = ["ecr.api", "ecr.dkr", "logs", "secretsmanager"]
GIVEN = {
    "vpcId": "vpc-12345678",
    "publicSubnetIds": ["subnet-00000001", "subnet-00000002"],
    "privateSubnetIds": ["subnet-00000003", "subnet-00000004"],
}


@pytest.fixture(params=["own", "given"])
def inside(request: pytest.FixtureRequest) -> Deployment:
    """Staging with every endpoint, in either kind of network."""
    return deploy("staging", interfaceEndpoints=SERVICES, **(GIVEN if request.param == "given" else {}), costCeilingUsd=1000)


def private_subnets(deployed: Deployment) -> set[str]:
    return set(deployed.one("ecs:Service", "gateway").inputs["networkConfiguration"]["subnets"])


def test_each_service_that_is_named_has_an_endpoint_under_its_own_name(inside: Deployment) -> None:
    endpoints = {name: item.inputs for name, item in inside.all("ec2:VpcEndpoint").items() if name != "s3"}
    assert endpoints.keys() == set(SERVICES)
    for service, given in endpoints.items():
        assert given["serviceName"] == f"com.amazonaws.us-east-1.{service}"
        assert given["vpcEndpointType"] == "Interface"
        assert given["privateDnsEnabled"] is True, "or tasks would go on using the way through NAT"
        assert set(given["subnetIds"]) == private_subnets(inside)
        assert given["securityGroupIds"] == [inside.one("ec2:SecurityGroup", "endpoints").id]


def test_only_tasks_reach_the_endpoints(inside: Deployment) -> None:
    group, tasks = inside.one("ec2:SecurityGroup", "endpoints").id, inside.one("ec2:SecurityGroup", "tasks").id
    (way,) = [item.inputs for item in inside.all("vpc:SecurityGroupIngressRule").values() if item.inputs["securityGroupId"] == group]
    assert (way["referencedSecurityGroupId"], way["fromPort"], way["toPort"], way["ipProtocol"]) == (tasks, 443, 443, "tcp")
    assert "cidrIpv4" not in way
    assert not [item for item in inside.all("vpc:SecurityGroupEgressRule").values() if item.inputs["securityGroupId"] == group]


@pytest.mark.parametrize("service", SERVICES)
def test_only_this_account_gets_through(inside: Deployment, service: str) -> None:
    policy = inside.policy("ec2:VpcEndpoint", service)
    anybody = {"AWS": "arn:aws:iam::999999999999:role/evil"}
    call = "secretsmanager:PutSecretValue"
    assert allowed(policy, Call(call, principal=anybody, context={"aws:PrincipalAccount": ACCOUNT}))
    assert not allowed(policy, Call(call, principal=anybody, context={"aws:PrincipalAccount": "999999999999"}))
    assert not allowed(policy, Call(call, principal=anybody)), "whoever is nobody"


def test_the_service_waits_for_the_ways_to_the_endpoints(inside: Deployment) -> None:
    assert ("vpc:SecurityGroupIngressRule", "tasks-to-endpoints") in inside.one("ecs:Service", "gateway").depends_on


def test_a_stage_that_names_none_has_none_and_no_group(deployed: Deployment) -> None:
    assert not deployed.all("ec2:VpcEndpoint").keys() - {"s3"}
    assert "endpoints" not in deployed.all("ec2:SecurityGroup")
