"""Who may talk to whom: the stage's security groups."""

from __future__ import annotations

from pulumi import ComponentResource, Output, ResourceOptions
from pulumi_aws import ec2, vpc

from infra import task
from infra.config.stage import Stage
from infra.network import ANYWHERE, Network

HTTP, HTTPS, VALKEY = 80, 443, 6379


class Groups(ComponentResource):
    """A group each for the balancer, the tasks, the cache and the endpoints, and the few ways between them; anything else is closed.

    Rules are resources of their own and nothing else writes rules: two owners of one group's rules undo each other's work.
    """

    balancer_id: Output[str]
    tasks_id: Output[str]
    cache_id: Output[str]
    endpoints_id: Output[str]
    """Only where the stage has interface endpoints."""

    def __init__(self, *, stage: Stage, network: Network, opts: ResourceOptions | None = None) -> None:
        super().__init__("gateway:groups:Groups", "groups", None, opts)
        self._child = ResourceOptions(parent=self)
        self.balancer_id, self.tasks_id, self.cache_id = (self._group(group, stage, network) for group in ("balancer", "tasks", "cache"))
        self._from_anywhere("balancer-http", HTTP, "Callers, redirected to HTTPS" if stage.domain else "Callers")
        if stage.domain:
            self._from_anywhere("balancer-https", HTTPS, "Callers")
        self._way("balancer-to-tasks", self.balancer_id, self.tasks_id, task.PORT, "Requests and health checks")
        self._way("tasks-to-cache", self.tasks_id, self.cache_id, VALKEY, "Valkey over TLS")
        vpc.SecurityGroupEgressRule(
            "tasks-to-internet",
            security_group_id=self.tasks_id,
            description="OpenAI and AWS",
            ip_protocol="tcp",
            from_port=HTTPS,
            to_port=HTTPS,
            cidr_ipv4=ANYWHERE,
            opts=self._child,
        )
        if stage.interface_endpoints:
            self.endpoints_id = self._group("endpoints", stage, network)
            self._way("tasks-to-endpoints", self.tasks_id, self.endpoints_id, HTTPS, "AWS inside the network")
        self.register_outputs({})

    def _group(self, name: str, stage: Stage, network: Network) -> Output[str]:
        group = ec2.SecurityGroup(
            name,
            description=f"{stage.label}: {name}",
            vpc_id=network.vpc_id,
            tags={"Name": f"{stage.label}-{name}"},
            opts=self._child,
        )
        identifier: Output[str] = group.id
        return identifier

    def _from_anywhere(self, name: str, port: int, description: str) -> None:
        vpc.SecurityGroupIngressRule(
            name,
            security_group_id=self.balancer_id,
            description=description,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            cidr_ipv4=ANYWHERE,
            opts=self._child,
        )

    def _way(self, name: str, source: Output[str], target: Output[str], port: int, description: str) -> None:
        vpc.SecurityGroupEgressRule(
            name,
            security_group_id=source,
            description=description,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            referenced_security_group_id=target,
            opts=self._child,
        )
        vpc.SecurityGroupIngressRule(
            name,
            security_group_id=target,
            description=description,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            referenced_security_group_id=source,
            opts=self._child,
        )
