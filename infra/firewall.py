"""The stage's firewall, in front of the balancer."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pulumi import ComponentResource, Output, ResourceOptions
from pulumi_aws import cloudwatch, wafv2
from pulumi_aws.wafv2 import (
    WebAclDataProtectionConfigDataProtectionArgs as Protection,
    WebAclDataProtectionConfigDataProtectionFieldArgs as ProtectedField,
    WebAclLoggingConfigurationLoggingFilterFilterArgs as LogFilter,
    WebAclLoggingConfigurationLoggingFilterFilterConditionActionConditionArgs as LoggedAction,
    WebAclLoggingConfigurationLoggingFilterFilterConditionArgs as LogCondition,
    WebAclLoggingConfigurationRedactedFieldArgs as Redacted,
    WebAclLoggingConfigurationRedactedFieldSingleHeaderArgs as RedactedHeader,
    WebAclRuleActionArgs as Action,
    WebAclRuleActionBlockArgs as Block,
    WebAclRuleActionBlockCustomResponseArgs as Answer,
    WebAclRuleActionBlockCustomResponseResponseHeaderArgs as Header,
    WebAclRuleArgs as Rule,
    WebAclRuleOverrideActionArgs as GroupAction,
    WebAclRuleOverrideActionNoneArgs as AsTheGroupSays,
    WebAclRuleStatementArgs as Statement,
    WebAclRuleStatementManagedRuleGroupStatementArgs as Managed,
    WebAclRuleStatementManagedRuleGroupStatementRuleActionOverrideActionToUseArgs as Instead,
    WebAclRuleStatementManagedRuleGroupStatementRuleActionOverrideActionToUseCountArgs as Count,
    WebAclRuleStatementManagedRuleGroupStatementRuleActionOverrideArgs as Override,
    WebAclRuleStatementRateBasedStatementArgs as RateBased,
    WebAclRuleVisibilityConfigArgs as RuleMetrics,
)

from infra.balancer import Balancer
from infra.config.stage import Stage
from infra.keys import FIREWALL_LOGS, EncryptionKey
from infra.policies import acting_for, document

WINDOW_S, RETRY_S = 300, 60
RATE = "requests-per-address"
MANAGED: dict[str, tuple[str, ...]] = {
    "AWSManagedRulesAmazonIpReputationList": (),
    "AWSManagedRulesKnownBadInputsRuleSet": ("JavaDeserializationRCE_BODY", "Log4JRCE_BODY", "ReactJSRCE_BODY"),
    "AWSManagedRulesCommonRuleSet": (
        "CrossSiteScripting_BODY",
        "EC2MetaDataSSRF_BODY",
        "GenericLFI_BODY",
        "GenericRFI_BODY",
        "NoUserAgent_HEADER",
        "SizeRestrictions_BODY",
    ),
}
"""AWS's groups of rules, in their order, each with its rules that only count.

What a rule finds in a body is what people ask a model about: code, web pages, exploits, long texts. The app never runs, opens or renders
a body, so these rules would only refuse honest work. HTTP libraries without a user agent of their own are honest too.
"""
SECRET_HEADERS = ("authorization", "api-key", "cookie", "x-api-key")


class Firewall(ComponentResource):
    """A web ACL on the balancer: addresses that send too much or are known for attacks, and requests that no client of ours makes.

    An address above its rate gets OpenAI's own error, with the time to wait, so that its client library waits and tries again. Each
    refused request is logged, and nothing else; neither keys nor prompts come into logs or samples. The rules weigh 927 of the 1,500
    units that are in the price: 2 for the rate, 25, 200 and 700 for the groups.
    """

    arn: Output[str]
    name: Output[str]
    """The value of the dimension `WebACL` of its metrics."""

    def __init__(
        self, *, stage: Stage, account: Output[str], key: EncryptionKey, balancer: Balancer, opts: ResourceOptions | None = None
    ) -> None:
        super().__init__("gateway:firewall:Firewall", "firewall", None, opts)
        self._child = ResourceOptions(parent=self)
        acl = wafv2.WebAcl(
            "gateway",
            name=stage.label,
            scope="REGIONAL",
            default_action=wafv2.WebAclDefaultActionArgs(allow=wafv2.WebAclDefaultActionAllowArgs()),
            custom_response_bodies=[
                wafv2.WebAclCustomResponseBodyArgs(key=RATE, content_type="APPLICATION_JSON", content=_too_many(stage.requests_per_address))
            ],
            rules=[_rate(stage.requests_per_address), *(_managed(order, group) for order, group in enumerate(MANAGED, start=1))],
            data_protection_config=_unseen(),
            visibility_config=wafv2.WebAclVisibilityConfigArgs(
                metric_name=stage.label, cloudwatch_metrics_enabled=True, sampled_requests_enabled=True
            ),
            opts=self._child,
        )
        wafv2.WebAclAssociation("balancer", resource_arn=balancer.arn, web_acl_arn=acl.arn, opts=self._child)
        self.arn, self.name = acl.arn, acl.name
        self._log(stage, account, key)
        self.register_outputs({"arn": self.arn})

    def _log(self, stage: Stage, account: Output[str], key: EncryptionKey) -> None:
        group = cloudwatch.LogGroup(
            "firewall",
            name=log_group_name(stage),
            retention_in_days=stage.log_retention_days,
            kms_key_id=key.arn,
            opts=self._child,
        )
        policy = cloudwatch.LogResourcePolicy(
            "firewall", policy_name=log_group_name(stage), policy_document=_delivered(stage, account, group.arn), opts=self._child
        )
        refused = LogFilter(
            behavior="KEEP",
            requirement="MEETS_ANY",
            conditions=[LogCondition(action_condition=LoggedAction(action="BLOCK"))],
        )
        wafv2.WebAclLoggingConfiguration(
            "firewall",
            resource_arn=self.arn,
            log_destination_configs=[group.arn],
            logging_filter=wafv2.WebAclLoggingConfigurationLoggingFilterArgs(default_behavior="DROP", filters=[refused]),
            redacted_fields=[Redacted(single_header=RedactedHeader(name=name)) for name in SECRET_HEADERS],
            opts=ResourceOptions(parent=self, depends_on=[policy]),
        )


def log_group_name(stage: Stage) -> str:
    return f"{FIREWALL_LOGS}{stage.label}"


def _rate(limit: int) -> Rule:
    counted = RateBased(limit=limit, aggregate_key_type="IP", evaluation_window_sec=WINDOW_S)
    answer = Answer(response_code=429, custom_response_body_key=RATE, response_headers=[Header(name="Retry-After", value=str(RETRY_S))])
    return Rule(
        name=RATE,
        priority=0,
        statement=Statement(rate_based_statement=counted),
        action=Action(block=Block(custom_response=answer)),
        visibility_config=_metrics(RATE),
    )


def _too_many(limit: int) -> str:
    error = {
        "message": f"Too many requests from your address: at most {limit} in {WINDOW_S} seconds. Try again in {RETRY_S} seconds.",
        "type": "requests",
        "param": None,
        "code": "rate_limit_exceeded",
    }
    return json.dumps({"error": error}, sort_keys=True)


def _managed(order: int, group: str) -> Rule:
    counted = [Override(name=rule, action_to_use=Instead(count=Count())) for rule in MANAGED[group]] or None
    return Rule(
        name=group,
        priority=order,
        statement=Statement(managed_rule_group_statement=Managed(vendor_name="AWS", name=group, rule_action_overrides=counted)),
        override_action=GroupAction(none=AsTheGroupSays()),
        visibility_config=_metrics(group),
    )


def _metrics(name: str) -> RuleMetrics:
    return RuleMetrics(metric_name=name, cloudwatch_metrics_enabled=True, sampled_requests_enabled=True)


def _unseen() -> wafv2.WebAclDataProtectionConfigArgs:
    """What neither logs nor samples show: callers' keys, and the parts of prompts that a rule found."""
    fields: Sequence[ProtectedField] = [
        *(ProtectedField(field_type="SINGLE_HEADER", field_keys=[name]) for name in SECRET_HEADERS),
        ProtectedField(field_type="BODY"),
    ]
    return wafv2.WebAclDataProtectionConfigArgs(data_protections=[Protection(action="SUBSTITUTION", field=field) for field in fields])


def _delivered(stage: Stage, account: Output[str], group_arn: Output[str]) -> Output[str]:
    """Lets WAF write to the group; where nobody says so, it adds to a policy that all web ACLs of the account share."""
    return document(
        {
            "Effect": "Allow",
            "Principal": {"Service": "delivery.logs.amazonaws.com"},
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": [Output.concat(group_arn, ":*")],
            "Condition": acting_for(account, Output.format("arn:aws:logs:{0}:{1}:*", stage.region, account)),
        }
    )
