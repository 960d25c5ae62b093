"""G22: misuse is limited by a firewall before the balancer, and honest prompts pass it and are answered, whatever they are about."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT, Stack

PROMPTS: list[dict[str, Any]] = yaml.safe_load(Path(ROOT / "tests" / "infra" / "prompts.yaml").read_text())


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda prompt: str(prompt["name"]))
def test_a_prompt_is_answered_and_reaches_openai_as_it_was(local: Stack, prompt: dict[str, Any]) -> None:
    question = prompt["text"] * prompt.get("times", 1) + str(uuid.uuid4())
    answer = local.client().chat.completions.with_raw_response.create(
        model="gpt-6.1-terra", messages=[{"role": "user", "content": question}], max_completion_tokens=16
    )
    assert answer.status_code == 200
    asked = [request["body"] for request in local.upstream_requests() if question[-36:] in str(request["body"])]
    assert [body["messages"][0]["content"] for body in asked] == [question]


def test_the_balancer_that_was_deployed_has_the_firewall_and_its_log(local: Stack) -> None:
    waf = local.aws("wafv2")
    acl = waf.get_web_acl_for_resource(ResourceArn=local.described["outputs"]["loadBalancerArn"])["WebACL"]
    assert [rule["Name"] for rule in acl["Rules"]] == [
        "requests-per-address",
        "AWSManagedRulesAmazonIpReputationList",
        "AWSManagedRulesKnownBadInputsRuleSet",
        "AWSManagedRulesCommonRuleSet",
    ]
    overrides = acl["Rules"][3]["Statement"]["ManagedRuleGroupStatement"]["RuleActionOverrides"]
    assert {"Name": "GenericLFI_BODY", "ActionToUse": {"Count": {}}} in overrides
    (log,) = waf.get_logging_configuration(ResourceArn=acl["ARN"])["LoggingConfiguration"]["LogDestinationConfigs"]
    assert log.endswith(f":log-group:aws-waf-logs-{local.described['outputs']['cluster']}")
