"""What a preview cannot know yet, and what is hidden, is no violation; what is known beside it is still looked at."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

from policies.catalog import POLICIES
from policies.judge import found, judge
from policies.pack import plain
from policies.stack import SECRET, UNKNOWN, Resource, Stack, Unknown, UnknownValueError, texts
from tests.policies.programs import TODAY, broken, program, put


def hidden(value: Any) -> Any:
    """The value with every text as a first preview has it."""
    if isinstance(value, dict):
        return {key: hidden(item) for key, item in value.items()}
    if isinstance(value, list):
        return [hidden(item) for item in value]
    return UNKNOWN if isinstance(value, str) else value


@pytest.mark.parametrize("stage", ["staging", "prod"])
def test_no_policy_is_broken_by_what_is_unknown(stage: str) -> None:
    known = program(stage)
    resources = tuple(
        Resource(each.kind, each.name, hidden(dict(each.props)), each.provider, each.protect, each.links, each.urn, each.aws)
        for each in known.resources
    )
    report = judge(POLICIES, Stack(stage, known.protected, resources), [], TODAY)
    assert not [(verdict.policy.name, verdict.violations) for verdict in report.verdicts if verdict.violations]


@pytest.mark.parametrize("whole", [UNKNOWN, SECRET], ids=["unknown", "secret"])
def test_a_document_that_is_unknown_or_secret_as_a_whole_is_left_alone(whole: object) -> None:
    found = broken(put("iam:RolePolicy::task", "policy", whole)(program("prod")))
    assert not found


def test_links_are_known_when_values_are_not() -> None:
    stack = put("wafv2:WebAclAssociation::balancer", "resourceArn", UNKNOWN)(program("prod"))
    assert not broken(stack)


def test_what_is_known_beside_is_still_found() -> None:
    stack = put("ecs:Service::gateway", "networkConfiguration.subnets", UNKNOWN)(program("prod"))
    stack = put("ecs:Service::gateway", "networkConfiguration.assignPublicIp", True)(stack)
    assert broken(stack) == {"service-no-address": {"ecs:Service::gateway"}}


def test_what_was_found_before_something_unknown_stays_found() -> None:
    (policy,) = [policy for policy in POLICIES if policy.name == "cache-at-rest"]
    resource = Resource("elasticache:ReplicationGroup", "cache", {"atRestEncryptionEnabled": False, "kmsKeyId": UNKNOWN})
    assert len(found(policy, resource, Stack("dev", protected=False))) == 1


@pytest.mark.parametrize("look", [bool, len, iter, hash, lambda value: value == 1, lambda value: value["a"], lambda value: value.get("a")])
def test_an_unknown_value_cannot_be_looked_at(look: Any) -> None:
    with pytest.raises(UnknownValueError):
        look(UNKNOWN)


def test_values_of_the_sdk_become_plain_data() -> None:
    unknown = UNKNOWN_STRING_VALUE
    props = {"port": 80.0, "ratio": 0.5, "on": True, "none": None, "arn": unknown, "list": [1.0, unknown], "map": {"a": "b"}}
    made = plain(unknown_checking_proxy(props))
    assert (made["port"], made["ratio"], made["on"], made["none"], made["map"]) == (80, 0.5, True, None, {"a": "b"})
    assert isinstance(made["port"], int)
    assert isinstance(made["arn"], Unknown)
    assert made["list"][0] == 1
    assert isinstance(made["list"][1], Unknown)
    assert list(texts(made)) == [("map.a", "b")]
