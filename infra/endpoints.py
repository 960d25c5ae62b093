"""AWS services that tasks reach without leaving the network."""

from __future__ import annotations

from pulumi import ComponentResource, Output, ResourceOptions
from pulumi_aws import ec2

from infra.config.stage import Stage
from infra.groups import Groups
from infra.network import Network
from infra.policies import document


class Endpoints(ComponentResource):
    """An interface endpoint in each private subnet for each service that the stage names, instead of the way through NAT.

    Private DNS gives the service's own name the endpoint's addresses, so nothing in the app or ECS knows of it. Only this stage's tasks
    reach an endpoint, and only principals of this account get through it: with a key of another account, brought into a task, nobody
    could carry data away there. In a network that is given, the name leads everybody in it to the endpoint, so name only services that no
    other program there uses, and that have no endpoint yet.
    """

    def __init__(
        self, *, stage: Stage, account: Output[str], network: Network, groups: Groups, opts: ResourceOptions | None = None
    ) -> None:
        super().__init__("gateway:endpoints:Endpoints", "endpoints", None, opts)
        ours = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "*",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:PrincipalAccount": account}},
        }
        for service in stage.interface_endpoints:
            ec2.VpcEndpoint(
                service,
                vpc_id=network.vpc_id,
                service_name=f"com.amazonaws.{stage.region}.{service}",
                vpc_endpoint_type="Interface",
                subnet_ids=network.private_subnet_ids,
                security_group_ids=[groups.endpoints_id],
                private_dns_enabled=True,
                policy=document(ours),
                tags={"Name": f"{stage.label}-{service}"},
                opts=ResourceOptions(parent=self),
            )
        self.register_outputs({})
