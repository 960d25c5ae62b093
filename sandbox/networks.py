"""What was there before the stage, as EC2's data sources tell of it: zones, networks and subnets."""

from __future__ import annotations

import string

from sandbox.aws import Aws
from sandbox.row import Inputs

SOURCES = ("getAvailabilityZones", "getVpc", "getVpcs", "getSubnet", "getSubnets")


class Networks:
    """Answers from the emulated AWS; where none is emulated, as if all that is asked for were there as it should be."""

    def __init__(self) -> None:
        self._vpc = ""
        self._subnets: list[str] = []

    def answer(self, aws: Aws | None, source: str, arguments: Inputs, region: str) -> Inputs:
        """The answer of one of `SOURCES`."""
        if source == "getAvailabilityZones":
            names = [f"{region}{letter}" for letter in ("abc" if region != "us-west-1" else "ab")]
            return {"id": region, "names": names, "zoneIds": names}
        wanted = {item["name"]: item["values"] for item in arguments.get("filters", [])}
        if aws is None:
            return self._planned(source, arguments, wanted, region)
        filters = [{"Name": name, "Values": values} for name, values in wanted.items()]
        match source:
            case "getVpcs":
                return {"id": region, "ids": [vpc["VpcId"] for vpc in aws.client("ec2").describe_vpcs(Filters=filters)["Vpcs"]]}
            case "getSubnets":
                found = aws.client("ec2").describe_subnets(Filters=filters)["Subnets"]
                return {"id": region, "ids": [subnet["SubnetId"] for subnet in found]}
            case "getVpc":
                return _vpc(aws, arguments["id"])
        return _subnet(aws, arguments["id"])

    def _planned(self, source: str, arguments: Inputs, wanted: dict[str, list[str]], region: str) -> Inputs:
        match source:
            case "getVpcs":
                self._vpc = wanted["vpc-id"][0]
                return {"id": region, "ids": wanted["vpc-id"]}
            case "getSubnets":
                self._subnets = wanted["subnet-id"]
                return {"id": region, "ids": self._subnets}
            case "getVpc":
                return {"id": arguments["id"], "enableDnsSupport": True, "enableDnsHostnames": True}
        place = self._subnets.index(arguments["id"])
        zone = f"{region}{string.ascii_lowercase[place]}"
        return {"id": arguments["id"], "vpcId": self._vpc, "availabilityZone": zone, "cidrBlock": f"10.0.{place}.0/24"}


def _vpc(aws: Aws, vpc: str) -> Inputs:
    client = aws.client("ec2")
    answer = {"id": vpc, "cidrBlock": client.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["CidrBlock"]}
    for name in ("enableDnsSupport", "enableDnsHostnames"):
        found = client.describe_vpc_attribute(VpcId=vpc, Attribute=name)
        answer[name] = found[name[0].upper() + name[1:]]["Value"]
    return answer


def _subnet(aws: Aws, subnet: str) -> Inputs:
    found = aws.client("ec2").describe_subnets(SubnetIds=[subnet])["Subnets"][0]
    return {
        "id": subnet,
        "vpcId": found["VpcId"],
        "availabilityZone": found["AvailabilityZone"],
        "cidrBlock": found["CidrBlock"],
        "availableIpAddressCount": found["AvailableIpAddressCount"],
    }
