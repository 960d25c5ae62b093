"""The balancer and its listeners: encryption, logs and what it lets through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from policies.policy import Policy, equals, every, given, has
from policies.stack import Resource, Stack

TLS_POLICIES = (
    *("ELBSecurityPolicy-TLS13-1-2-PQ-2025-09", "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09", "ELBSecurityPolicy-TLS13-1-3-PQ-2025-09"),
    *("ELBSecurityPolicy-TLS13-1-2-Res-FIPS-PQ-2025-09", "ELBSecurityPolicy-TLS13-1-3-FIPS-PQ-2025-09"),
)
"""TLS 1.2 with forward secrecy or 1.3, with a key exchange that a later quantum computer cannot undo."""


def redirects(listener: Resource) -> bool:
    actions = listener.known("defaultActions") or []
    return bool(actions) and all(
        action["type"] == "redirect" and (action.get("redirect") or {}).get("protocol") == "HTTPS" for action in actions
    )


def encrypted(listener: Resource, _stack: Stack) -> Iterator[str]:
    protocol = listener.known("protocol")
    if protocol != "HTTPS" and not redirects(listener):
        yield f"protocol = {protocol!r}, and it does not only redirect to HTTPS"


def strong(listener: Resource, stack: Stack) -> Iterator[str]:
    if listener.known("protocol") == "HTTPS":
        yield from every(equals("sslPolicy", *TLS_POLICIES), given("certificateArn"))(listener, stack)


def remembered(listener: Resource, stack: Stack) -> Iterator[str]:
    if listener.known("protocol") == "HTTPS":
        yield from given("routingHttpResponseStrictTransportSecurityHeaderValue")(listener, stack)


def behind_firewall(balancer: Resource, stack: Stack) -> Iterator[str]:
    if not balancer.known("internal"):
        yield from has("wafv2:WebAclAssociation", "resourceArn")(balancer, stack)


def metrics(alarm: Resource) -> Iterator[Any]:
    yield alarm.known("metricName")
    for query in alarm.known("metricQueries") or []:
        yield (query.get("metric") or {}).get("metricName")


def watched(group: Resource, stack: Stack) -> Iterator[str]:
    for alarm in stack.all("cloudwatch:MetricAlarm"):
        for path in ("dimensions", "metricQueries"):
            if group.label in alarm.links.get(path, ()) and "UnHealthyHostCount" in metrics(alarm):
                return
    yield "no alarm counts its unhealthy hosts"


POLICIES = (
    Policy(
        name="listener-encrypted",
        title="A listener serves HTTPS, or only redirects there",
        why="Callers' keys and prompts would cross the internet as plain text.",
        fix="Set `domain` and `hostedZoneId`, and take `allowPlainHttp` out.",
        on=("lb:Listener",),
        check=encrypted,
        severity="critical",
        covers=("CKV_AWS_2", "CKV2_AWS_20", "elbv2_ssl_listeners"),
    ),
    Policy(
        name="listener-tls",
        title="HTTPS is TLS 1.2 or later with forward secrecy and a post-quantum key exchange",
        why="What is recorded today can be read once an older algorithm falls.",
        fix="ssl_policy='ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09', and a certificate.",
        on=("lb:Listener",),
        check=strong,
        severity="high",
        covers=("CKV_AWS_103", "CKV2_AWS_74", "elbv2_insecure_ssl_ciphers", "elbv2_listener_pqc_tls_enabled"),
    ),
    Policy(
        name="listener-hsts",
        title="Browsers are told to come back by HTTPS only",
        why="A first request by plain HTTP can be caught and its redirect replaced.",
        fix="routing_http_response_strict_transport_security_header_value='max-age=31536000'.",
        on=("lb:Listener",),
        check=remembered,
        severity="low",
    ),
    Policy(
        name="balancer-headers",
        title="The balancer drops invalid header fields",
        why="Two programs that read a malformed header differently can be played against each other.",
        fix="drop_invalid_header_fields=True.",
        on=("lb:LoadBalancer",),
        check=equals("dropInvalidHeaderFields", True),
        covers=("CKV_AWS_131", "elbv2_alb_drop_invalid_header_fields_enabled"),
    ),
    Policy(
        name="balancer-desync",
        title="The balancer refuses requests that can be read in two ways",
        why="Request smuggling puts one caller's words into another's connection.",
        fix="desync_mitigation_mode='defensive', or 'strictest'.",
        on=("lb:LoadBalancer",),
        check=equals("desyncMitigationMode", "defensive", "strictest"),
        covers=("CKV_AWS_328", "elbv2_desync_mitigation_mode"),
    ),
    Policy(
        name="balancer-logs",
        title="The balancer writes access logs",
        why="They are the only record of requests that never reached a task.",
        fix="access_logs with a bucket, enabled.",
        on=("lb:LoadBalancer",),
        check=every(equals("accessLogs.enabled", True), given("accessLogs.bucket")),
        covers=("CKV_AWS_91", "elbv2_logging_enabled", "AwsSolutions-ELB2"),
    ),
    Policy(
        name="balancer-kept",
        title="A protected stage's balancer cannot be deleted by mistake",
        why="Its address and the DNS records that point at it would be gone.",
        fix="enable_deletion_protection=True.",
        on=("lb:LoadBalancer",),
        check=equals("enableDeletionProtection", True),
        protected=True,
        covers=("CKV_AWS_150", "elbv2_deletion_protection"),
    ),
    Policy(
        name="targets-checked",
        title="The balancer asks tasks whether they are ready",
        why="Otherwise it sends requests into tasks that cannot answer.",
        fix="A health_check with the path '/readyz'.",
        on=("lb:TargetGroup",),
        check=every(given("healthCheck.path"), equals("healthCheck.enabled", True, None)),
        covers=("CKV_AWS_261",),
    ),
    Policy(
        name="targets-watched",
        title="An alarm counts the unhealthy hosts",
        why="Tasks fail one by one, and callers notice when the last one has.",
        fix="A cloudwatch.MetricAlarm on UnHealthyHostCount of the target group.",
        on=("lb:TargetGroup",),
        check=watched,
        covers=("elbv2_unhealthy_host_count_monitored",),
        whole=True,
    ),
    Policy(
        name="certificate-renews",
        title="Certificates are proven by DNS",
        why="Those renew by themselves; one that is proven by mail ends when nobody answers it.",
        fix="validation_method='DNS', with its record.",
        on=("acm:Certificate",),
        check=equals("validationMethod", "DNS"),
        covers=("acm_certificates_expiration_check",),
    ),
    Policy(
        name="balancer-firewall",
        title="A public balancer stands behind a firewall",
        why="Whoever sends too much, or sends what scanners send, would reach the tasks.",
        fix="A wafv2.WebAclAssociation of the balancer.",
        on=("lb:LoadBalancer",),
        check=behind_firewall,
        severity="high",
        covers=("CKV2_AWS_28", "elbv2_waf_acl_attached"),
        whole=True,
    ),
)
