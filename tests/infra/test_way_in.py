"""From a caller to a task: the balancer."""

from __future__ import annotations

from app.settings import Settings
from tests.infra.deployment import Deployment


def settings(deployed: Deployment) -> Settings:
    return Settings.load({name: value for name, value in deployed.environment().items() if name != "AWS_REGION"})


def test_all_timeouts_agree_across_balancer_app_and_ecs(deployed: Deployment) -> None:
    app = settings(deployed)
    idle = deployed.one("lb:LoadBalancer", "gateway").inputs["idleTimeout"]
    leaving = deployed.one("lb:TargetGroup", "tasks").inputs["deregistrationDelay"]
    stop = deployed.container()["stopTimeout"]
    assert app.ping_s < idle < app.keep_alive_s
    assert app.request_timeout_s < idle
    assert app.drain_s < stop <= 120
    assert int(leaving) >= app.drain_s
    assert int(leaving) + app.drain_s >= app.request_timeout_s


def test_the_balancer_drops_what_two_programs_could_read_differently(deployed: Deployment) -> None:
    given = deployed.one("lb:LoadBalancer", "gateway").inputs
    assert given["loadBalancerType"] == "application"
    assert given["dropInvalidHeaderFields"] is True
    assert given["desyncMitigationMode"] == "defensive"
    assert given["internal"] is False
    assert given["securityGroups"] == [deployed.one("ec2:SecurityGroup", "balancer").id]


def test_a_request_goes_to_the_task_with_the_fewest_in_flight(deployed: Deployment) -> None:
    given = deployed.one("lb:TargetGroup", "tasks").inputs
    assert given["loadBalancingAlgorithmType"] == "least_outstanding_requests"
    assert given["targetType"] == "ip"
    assert int(given["port"]) == settings(deployed).port


def test_a_task_gets_requests_while_it_is_ready(deployed: Deployment) -> None:
    check = deployed.one("lb:TargetGroup", "tasks").inputs["healthCheck"]
    assert check["path"] == "/readyz"
    assert check["matcher"] == "200"
    assert check["timeout"] < check["interval"]


def test_prod_is_reached_by_https_only(prod: Deployment) -> None:
    https, http = prod.one("lb:Listener", "https").inputs, prod.one("lb:Listener", "http").inputs
    assert (https["port"], https["protocol"]) == (443, "HTTPS")
    assert https["sslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"
    assert ("acm:CertificateValidation", "domain") in prod.one("lb:Listener", "https").depends_on
    assert https["routingHttpResponseStrictTransportSecurityHeaderValue"] == "max-age=31536000"
    assert [action["type"] for action in https["defaultActions"]] == ["forward"]
    (redirect,) = http["defaultActions"]
    assert redirect["type"] == "redirect"
    assert redirect["redirect"] == {"protocol": "HTTPS", "port": "443", "statusCode": "HTTP_301"}
    assert prod.outputs["url"] == "https://gateway.example.com"


def test_prods_domain_is_proven_and_points_to_the_balancer(prod: Deployment) -> None:
    certificate = prod.one("acm:Certificate", "domain").inputs
    assert certificate == {"domainName": "gateway.example.com", "validationMethod": "DNS"}
    record = prod.one("route53:Record", "domain").inputs
    assert (record["name"], record["type"]) == ("gateway.example.com", "A")
    (alias,) = record["aliases"]
    assert prod.one("lb:LoadBalancer", "gateway").id in alias["name"]
    assert prod.one("route53:Record", "validation").inputs["zoneId"] == record["zoneId"] == "Z0123456789ABCDEFGHIJ"
    assert ("route53:Record", "validation") in prod.one("acm:CertificateValidation", "domain").depends_on


def test_without_a_domain_there_is_one_plain_listener_and_no_certificate(staging: Deployment) -> None:
    (only,) = staging.all("lb:Listener").values()
    assert (only.inputs["port"], only.inputs["protocol"]) == (80, "HTTP")
    assert only.inputs["defaultActions"][0]["type"] == "forward"
    assert not staging.all("acm:Certificate")
    assert staging.outputs["url"].startswith("http://")


def test_the_balancer_cannot_be_deleted_by_mistake_in_prod(staging: Deployment, prod: Deployment) -> None:
    assert prod.one("lb:LoadBalancer", "gateway").inputs["enableDeletionProtection"] is True
    assert staging.one("lb:LoadBalancer", "gateway").inputs["enableDeletionProtection"] is False


def test_names_fit_into_what_aws_allows(deployed: Deployment) -> None:
    made = 8  # what a generated name adds
    assert all(len(name) + made <= 32 for kind in ("lb:LoadBalancer", "lb:TargetGroup") for name in deployed.all(kind))
    assert len(deployed.one("elasticache:ReplicationGroup", "cache").inputs["replicationGroupId"]) <= 40
    assert len(deployed.one("elasticache:User", "cache").inputs["userId"]) <= 40
