"""The stage's load balancer: its address, its encryption and the group of tasks behind it."""

from __future__ import annotations

from pulumi import ComponentResource, Output, Resource, ResourceOptions
from pulumi_aws import acm, lb, route53

from infra import task
from infra.archive import ACCESS, CONNECTIONS, Archive
from infra.config.stage import Stage
from infra.groups import HTTP, HTTPS, Groups
from infra.network import Network

TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"
"""TLS 1.3, or 1.2 with forward secrecy, and key exchange that a later quantum computer cannot undo."""
HEALTHY, UNHEALTHY = 2, 3


class Balancer(ComponentResource):
    """An Application Load Balancer in the public subnets, a listener, and a target group of the tasks' addresses.

    With a domain it serves HTTPS with a certificate that renews itself, and port 80 only redirects there. Each request goes to the
    task with the fewest requests in flight, because those take from milliseconds to minutes here and turns would be unfair. Requests
    that two programs could read differently (invalid headers, smuggling) are dropped. Timeouts are the stage's budget.
    """

    arn: Output[str]
    url: Output[str]
    arn_suffix: Output[str]
    target_group_arn: Output[str]
    target_group_arn_suffix: Output[str]
    """The suffixes are what metrics are found by."""
    listeners: list[Resource]

    def __init__(self, *, stage: Stage, network: Network, groups: Groups, archive: Archive, opts: ResourceOptions | None = None) -> None:
        super().__init__("gateway:balancer:Balancer", "balancer", None, opts)
        self._child = ResourceOptions(parent=self)
        self._balancer = lb.LoadBalancer(
            "gateway",
            load_balancer_type="application",
            internal=False,
            subnets=network.public_subnet_ids,
            security_groups=[groups.balancer_id],
            idle_timeout=stage.timeouts.idle_s,
            drop_invalid_header_fields=True,
            desync_mitigation_mode="defensive",
            enable_deletion_protection=stage.protect,
            access_logs=lb.LoadBalancerAccessLogsArgs(bucket=archive.bucket, prefix=ACCESS, enabled=True),
            connection_logs=lb.LoadBalancerConnectionLogsArgs(bucket=archive.bucket, prefix=CONNECTIONS, enabled=True),
            tags={"Name": stage.label},
            # AWS does not move a balancer into another network
            opts=ResourceOptions(parent=self, depends_on=network.way_in, replacement_trigger=network.vpc_id),
        )
        targets = lb.TargetGroup(
            "tasks",
            target_type="ip",
            protocol="HTTP",
            port=task.PORT,
            vpc_id=network.vpc_id,
            load_balancing_algorithm_type="least_outstanding_requests",
            deregistration_delay=stage.timeouts.deregistration_s,
            health_check=lb.TargetGroupHealthCheckArgs(
                path="/readyz",
                protocol="HTTP",
                matcher="200",
                interval=stage.health_check_interval_seconds,
                timeout=max(2, min(5, stage.health_check_interval_seconds - 1)),
                healthy_threshold=HEALTHY,
                unhealthy_threshold=UNHEALTHY,
            ),
            tags={"Name": stage.label},
            opts=self._child,
        )
        self.arn, self.target_group_arn = self._balancer.arn, targets.arn
        self.arn_suffix, self.target_group_arn_suffix = self._balancer.arn_suffix, targets.arn_suffix
        forward = lb.ListenerDefaultActionArgs(type="forward", target_group_arn=targets.arn)
        if stage.domain:
            self.listeners = self._encrypted(stage, forward)
            self.url = Output.from_input(f"https://{stage.domain}")
        else:
            self.listeners = [self._listener("http", HTTP, "HTTP", forward)]
            self.url = Output.concat("http://", self._balancer.dns_name)
        self.register_outputs({"url": self.url})

    def _listener(self, name: str, port: int, protocol: str, action: lb.ListenerDefaultActionArgs) -> lb.Listener:
        return lb.Listener(
            name, load_balancer_arn=self._balancer.arn, port=port, protocol=protocol, default_actions=[action], opts=self._child
        )

    def _encrypted(self, stage: Stage, forward: lb.ListenerDefaultActionArgs) -> list[Resource]:
        https = lb.Listener(
            "https",
            load_balancer_arn=self._balancer.arn,
            port=HTTPS,
            protocol="HTTPS",
            ssl_policy=TLS_POLICY,
            certificate_arn=self._certificate(stage),
            default_actions=[forward],
            routing_http_response_strict_transport_security_header_value="max-age=31536000",
            opts=self._child,
        )
        redirect = lb.ListenerDefaultActionRedirectArgs(protocol="HTTPS", port=str(HTTPS), status_code="HTTP_301")
        http = self._listener("http", HTTP, "HTTP", lb.ListenerDefaultActionArgs(type="redirect", redirect=redirect))
        route53.Record(
            "domain",
            zone_id=stage.hosted_zone_id,
            name=stage.domain,
            type="A",
            aliases=[route53.RecordAliasArgs(name=self._balancer.dns_name, zone_id=self._balancer.zone_id, evaluate_target_health=True)],
            opts=self._child,
        )
        return [https, http]

    def _certificate(self, stage: Stage) -> Output[str]:
        certificate = acm.Certificate("domain", domain_name=stage.domain, validation_method="DNS", opts=self._child)
        proof = certificate.domain_validation_options.apply(lambda options: options[0])
        record = route53.Record(
            "validation",
            zone_id=stage.hosted_zone_id,
            name=proof.resource_record_name,
            type=proof.resource_record_type,
            records=[proof.resource_record_value],
            ttl=60,
            allow_overwrite=True,
            opts=self._child,
        )
        valid = acm.CertificateValidation(
            "domain", certificate_arn=certificate.arn, validation_record_fqdns=[record.fqdn], opts=self._child
        )
        arn: Output[str] = valid.certificate_arn
        return arn
