"""What the rules of AWS's managed groups match, as AWS's developer guide describes each; the patterns themselves are AWS's secret.

Source: "Baseline rule groups" in the guide of AWS WAF. Rules of addresses (IP reputation) match nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

BODY_LIMIT = 8192
"""How much of a body WAF reads behind an Application Load Balancer; its rules match on that and let the rest be."""
WEIGHTS = {"AWSManagedRulesAmazonIpReputationList": 25, "AWSManagedRulesKnownBadInputsRuleSet": 200, "AWSManagedRulesCommonRuleSet": 700}
RATE_WEIGHT, FREE_WEIGHT = 2, 1500


@dataclass(frozen=True)
class Request:
    """A request as WAF sees it."""

    method: str = "GET"
    path: str = "/"
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: {"host": "gateway.example.com", "user-agent": "OpenAI/Python 3.54"})
    body: bytes = b""

    @property
    def seen(self) -> str:
        return self.body[:BODY_LIMIT].decode(errors="replace")

    @property
    def cookie(self) -> str:
        return self.headers.get("cookie", "")


Part = Callable[[Request], str]
LFI = re.compile(r"\.\.[/\\]", re.IGNORECASE)
RFI = re.compile(r"(https?|ftps?|file)://\d{1,3}(\.\d{1,3}){3}", re.IGNORECASE)
METADATA = re.compile(r"169\.254\.169\.254|/latest/(meta-data|user-data|dynamic)", re.IGNORECASE)
SCRIPT = re.compile(r"<\s*(script|iframe|object|embed)\b|<[^>]+\bon[a-z]+\s*=|javascript:", re.IGNORECASE)
JAVA = re.compile(r"java\.lang\.Runtime|getRuntime\(\)|ProcessBuilder|class\.module\.classLoader", re.IGNORECASE)
LOG4J = re.compile(r"\$\{\s*jndi\s*:", re.IGNORECASE)
REACT = re.compile(r"__proto__\s*:\s*then|constructor\s*:\s*constructor", re.IGNORECASE)
PARTS: dict[str, Part] = {
    "BODY": lambda request: request.seen,
    "COOKIE": lambda request: request.cookie,
    "HEADER": lambda request: "\n".join(request.headers.values()),
    "QUERYARGUMENTS": lambda request: unquote(request.query),
    "QUERYSTRING": lambda request: unquote(request.query),
    "URIPATH": lambda request: unquote(request.path),
}


def _family(name: str, pattern: re.Pattern[str], *parts: str) -> dict[str, Callable[[Request], bool]]:
    return {f"{name}_{part}": lambda request, part=part: bool(pattern.search(PARTS[part](request))) for part in parts}  # type: ignore[misc]


COMMON: dict[str, Callable[[Request], bool]] = {
    "NoUserAgent_HEADER": lambda request: not request.headers.get("user-agent"),
    "UserAgent_BadBots_HEADER": lambda request: bool(re.search("nessus|nmap", request.headers.get("user-agent", ""), re.IGNORECASE)),
    "SizeRestrictions_QUERYSTRING": lambda request: len(request.query) > 2048,
    "SizeRestrictions_Cookie_HEADER": lambda request: len(request.cookie) > 10240,
    "SizeRestrictions_BODY": lambda request: len(request.body) > BODY_LIMIT,
    "SizeRestrictions_URIPATH": lambda request: len(request.path) > 1024,
    **_family("EC2MetaDataSSRF", METADATA, "BODY", "COOKIE", "URIPATH", "QUERYARGUMENTS"),
    **_family("GenericLFI", LFI, "QUERYARGUMENTS", "URIPATH", "BODY"),
    **_family("RestrictedExtensions", re.compile(r"\.(log|ini)$", re.IGNORECASE), "URIPATH", "QUERYARGUMENTS"),
    **_family("GenericRFI", RFI, "QUERYARGUMENTS", "BODY", "URIPATH"),
    **_family("CrossSiteScripting", SCRIPT, "COOKIE", "QUERYARGUMENTS", "BODY", "URIPATH"),
}
KNOWN_BAD: dict[str, Callable[[Request], bool]] = {
    **_family("JavaDeserializationRCE", JAVA, "HEADER", "BODY", "URIPATH", "QUERYSTRING"),
    "Host_localhost_HEADER": lambda request: "localhost" in request.headers.get("host", ""),
    "PROPFIND_METHOD": lambda request: request.method == "PROPFIND",
    "ExploitablePaths_URIPATH": lambda request: "web-inf" in request.path.lower(),
    **_family("Log4JRCE", LOG4J, "HEADER", "QUERYSTRING", "BODY", "URIPATH"),
    **_family("ReactJSRCE", REACT, "BODY"),
}
GROUPS = {
    "AWSManagedRulesAmazonIpReputationList": {},
    "AWSManagedRulesKnownBadInputsRuleSet": KNOWN_BAD,
    "AWSManagedRulesCommonRuleSet": COMMON,
}


def matched(request: Request) -> set[str]:
    """The rules of all groups that match a request."""
    return {name for group in GROUPS.values() for name, matches in group.items() if matches(request)}


def blocking(acl: Mapping[str, Any], request: Request) -> set[str]:
    """The rules for which a web ACL, as it was deployed, refuses a request; none, and the request passes."""
    found = set()
    for rule in acl["rules"]:
        group = rule["statement"].get("managedRuleGroupStatement")
        if group and rule["overrideAction"] == {"none": {}}:
            counted = {item["name"] for item in group.get("ruleActionOverrides", []) if item["actionToUse"] == {"count": {}}}
            found |= {name for name, matches in GROUPS[group["name"]].items() if name not in counted and matches(request)}
    return found
