"""The network in the emulated AWS: EC2."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from sandbox.row import Call, Inputs, Row, renamed


def _ec2(noun: str, **options: Any) -> Row:
    """A row by EC2's naming: create_route_table, RouteTable.RouteTableId, describe_route_tables and so on."""
    snake = re.sub(r"(?<!^)([A-Z])", r"_\1", noun).lower()
    row = Row(
        "ec2", f"create_{snake}", f"{noun}.{noun}Id", f"{noun}Id", f"describe_{snake}s",
        f"{noun}s[?State!='deleted'] | [0]", delete=f"delete_{snake}",
    )  # fmt: skip
    return replace(row, **options)


def _vpc(call: Call, vpc: str, inputs: Inputs) -> None:
    for name in ("enableDnsSupport", "enableDnsHostnames"):
        if name in inputs:
            call("modify_vpc_attribute", vpcId=vpc, **{name: {"value": inputs[name]}})


def _attach(call: Call, gateway: str, inputs: Inputs) -> None:
    call("attach_internet_gateway", internetGatewayId=gateway, vpcId=inputs["vpcId"])


def _empty_group(call: Call, group: str, _inputs: Inputs) -> None:
    """A new group lets everything out, a default one lets itself in; the provider takes both rules out."""
    rules = call("describe_security_groups", groupIds=[group])["SecurityGroups"][0]
    for direction, permissions in (("egress", rules["IpPermissionsEgress"]), ("ingress", rules["IpPermissions"])):
        if permissions:
            call(f"revoke_security_group_{direction}", groupId=group, ipPermissions=permissions)


def _rule(inputs: Inputs) -> Inputs:
    sources = (("cidrIpv4", "IpRanges", "CidrIp"), ("prefixListId", "PrefixListIds", "PrefixListId"))
    permission: Inputs = {name: inputs[name] for name in ("ipProtocol", "fromPort", "toPort") if name in inputs}
    for ours, group, member in (*sources, ("referencedSecurityGroupId", "UserIdGroupPairs", "GroupId")):
        if ours in inputs:
            permission[group] = [{member: inputs[ours], "Description": inputs.get("description", "")}]
    return inputs | {"groupId": inputs["securityGroupId"], "ipPermissions": [permission]}


def _modified(call: Call, rule: str, inputs: Inputs) -> None:
    ours = {"referencedSecurityGroupId": "referencedGroupId"}
    changed = {ours.get(name, name): value for name, value in inputs.items()}
    call("modify_security_group_rules", groupId=inputs["securityGroupId"],
         securityGroupRules=[{"securityGroupRuleId": rule, "securityGroupRule": changed}])  # fmt: skip


def _security_group_rule(direction: str) -> Row:
    return Row(
        "ec2", f"authorize_security_group_{direction}", "SecurityGroupRules[0].SecurityGroupRuleId", "SecurityGroupRuleIds",
        "describe_security_group_rules", "SecurityGroupRules[0]", delete=f"revoke_security_group_{direction}", delete_with=("groupId",),
        mutable=("cidrIpv4", "description", "fromPort", "ipProtocol", "referencedSecurityGroupId", "toPort"),
        prepare=_rule, after=_modified,
    )  # fmt: skip


NETWORK = {
    "aws:ec2/vpc:Vpc": _ec2("Vpc", after=_vpc, mutable=("enableDnsSupport", "enableDnsHostnames")),
    "aws:ec2/subnet:Subnet": _ec2(
        "Subnet",
        mutable=("mapPublicIpOnLaunch",),
        after=lambda call, subnet, inputs: call(
            "modify_subnet_attribute", subnetId=subnet, mapPublicIpOnLaunch={"value": inputs.get("mapPublicIpOnLaunch", False)}
        ),
    ),
    "aws:ec2/internetGateway:InternetGateway": _ec2(
        "InternetGateway",
        fresh=_attach,
        before_delete=lambda call, gateway, inputs: call("detach_internet_gateway", internetGatewayId=gateway, vpcId=inputs["vpcId"]),
    ),
    "aws:ec2/eip:Eip": _ec2("Address", create="allocate_address", id="AllocationId", key="AllocationId", found="Addresses[0]",
                            read="describe_addresses", delete="release_address"),
    "aws:ec2/natGateway:NatGateway": _ec2("NatGateway"),
    "aws:ec2/routeTable:RouteTable": _ec2("RouteTable"),
    "aws:ec2/route:Route": Row("ec2", "create_route", "=routeTableId,destinationCidrBlock", update="replace_route", delete="delete_route",
                               delete_with=("destinationCidrBlock",), mutable=("gatewayId", "natGatewayId"), tagged=False),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Row(
        "ec2", "associate_route_table", "AssociationId", "AssociationId", delete="disassociate_route_table", tagged=False,
    ),
    "aws:ec2/securityGroup:SecurityGroup": _ec2(
        "SecurityGroup", id="GroupId", key="GroupId", found="SecurityGroups[0]", named=255, prepare=renamed(name="groupName"),
        fresh=_empty_group,
    ),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": Row(
        "ec2", "describe_security_groups", "SecurityGroups[0].GroupId", fresh=_empty_group, mutable=("ingress", "egress"),
        prepare=lambda inputs: {
            "filters": [{"name": "vpc-id", "values": inputs["vpcId"]}, {"name": "group-name", "values": "default"}]
        },
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _security_group_rule("ingress"),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _security_group_rule("egress"),
    "aws:ec2/vpcEndpoint:VpcEndpoint": _ec2(
        "VpcEndpoint", key="VpcEndpointIds", update="modify_vpc_endpoint", delete="delete_vpc_endpoints",
        mutable=("policy", "privateDnsEnabled", "routeTableIds", "securityGroupIds", "subnetIds"),
        prepare=renamed(policy="policyDocument", routeTableIds="addRouteTableIds", securityGroupIds="addSecurityGroupIds",
                        subnetIds="addSubnetIds"),
    ),
    "aws:ec2/flowLog:FlowLog": _ec2(
        "FlowLog", create="create_flow_logs", id="FlowLogIds[0]", key="FlowLogIds", found="FlowLogs[0]", delete="delete_flow_logs",
        prepare=lambda inputs: inputs | {"resourceIds": [inputs["vpcId"]], "resourceType": "VPC",
                                         "deliverLogsPermissionArn": inputs.get("iamRoleArn")},
    ),
}  # fmt: skip
