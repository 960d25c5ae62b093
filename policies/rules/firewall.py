"""The firewall's rules and its log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from policies.policy import Policy, has
from policies.stack import Resource, Stack

ATTACKS = "AWSManagedRulesKnownBadInputsRuleSet"
HARMLESS = "NoUserAgent_HEADER"
SECRET_HEADER = "authorization"  # noqa: S105  a header's name


def managed(acl: Resource, name: str) -> dict[str, Any] | None:
    """The rule of the ACL that uses a managed group."""
    for rule in acl.known("rules") or []:
        if rule["statement"].get("managedRuleGroupStatement", {}).get("name") == name:
            return dict(rule)
    return None


def stops_attacks(acl: Resource, _stack: Stack) -> Iterator[str]:
    rule = managed(acl, ATTACKS)
    if rule is None:
        yield f"it does not use {ATTACKS}"
    elif "none" not in (rule.get("overrideAction") or {}):
        yield f"{ATTACKS} only counts"


def counts_bodies_only(acl: Resource, _stack: Stack) -> Iterator[str]:
    for rule in acl.known("rules") or []:
        group = rule["statement"].get("managedRuleGroupStatement") or {}
        for override in group.get("ruleActionOverrides") or []:
            name = override["name"]
            if "block" not in override["actionToUse"] and not name.endswith("_BODY") and name != HARMLESS:
                yield f"{group['name']}: the rule {name} does not block"


def bounds_rates(acl: Resource, _stack: Stack) -> Iterator[str]:
    rules = acl.known("rules") or []
    if not any("rateBasedStatement" in rule["statement"] and "block" in (rule.get("action") or {}) for rule in rules):
        yield "no rule blocks an address that sends too much"


def measured(acl: Resource, _stack: Stack) -> Iterator[str]:
    parts = {"the ACL": acl.known("visibilityConfig"), **{rule["name"]: rule["visibilityConfig"] for rule in acl.known("rules") or []}}
    for name, part in parts.items():
        if not (part or {}).get("cloudwatchMetricsEnabled"):
            yield f"{name} has no metrics"


def hides_keys(logging: Resource, _stack: Stack) -> Iterator[str]:
    fields = logging.known("redactedFields") or []
    if not any((field.get("singleHeader") or {}).get("name") == SECRET_HEADER for field in fields):
        yield f"redactedFields has no {SECRET_HEADER}"


POLICIES = (
    Policy(
        name="firewall-attacks",
        title="The firewall refuses known attacks, Log4j's among them",
        why="They come within minutes of an address being known, and cost AWS nothing to refuse.",
        fix=f"A rule with the managed group {ATTACKS} and override_action none.",
        on=("wafv2:WebAcl",),
        check=stops_attacks,
        covers=("CKV_AWS_192", "wafv2_webacl_with_rules"),
    ),
    Policy(
        name="firewall-exceptions",
        title="The firewall's managed rules block, but for those that look into bodies",
        why="Prompts look like attacks, so what looks into bodies only counts; addresses and headers never are prompts.",
        fix="Take the rule_action_override out.",
        on=("wafv2:WebAcl",),
        check=counts_bodies_only,
    ),
    Policy(
        name="firewall-rate",
        title="The firewall bounds what one address sends",
        why="A single machine could keep every task busy with requests that are refused only after they were read.",
        fix="A rate_based_statement that blocks.",
        on=("wafv2:WebAcl",),
        check=bounds_rates,
    ),
    Policy(
        name="firewall-logs",
        title="The firewall logs what it refuses",
        why="A caller who was refused wrongly can be helped only by somebody who sees why.",
        fix="A wafv2.WebAclLoggingConfiguration of the ACL.",
        on=("wafv2:WebAcl",),
        check=has("wafv2:WebAclLoggingConfiguration", "resourceArn"),
        covers=("CKV2_AWS_31", "wafv2_webacl_logging_enabled"),
        whole=True,
    ),
    Policy(
        name="firewall-logs-no-keys",
        title="The firewall's log holds no caller's key",
        why="Whoever may read the log could call the gateway in a caller's name.",
        fix="redacted_fields with the header authorization.",
        on=("wafv2:WebAclLoggingConfiguration",),
        check=hides_keys,
        severity="high",
    ),
    Policy(
        name="firewall-metrics",
        title="The firewall and each of its rules have metrics",
        why="An alarm on refused requests counts by them.",
        fix="visibility_config with cloudwatch_metrics_enabled=True.",
        on=("wafv2:WebAcl",),
        check=measured,
        severity="low",
        covers=("wafv2_webacl_rule_logging_enabled",),
    ),
)
