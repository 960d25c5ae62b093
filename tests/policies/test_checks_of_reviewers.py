"""The checks that reviewers run: each is answered by a policy, or there is a reason why not."""

from __future__ import annotations

import re
import tomllib

from policies.catalog import POLICIES
from sandbox.stack import ROOT

CHECKOV = {
    *(f"CKV_AWS_{number}" for number in (65, 97, 223, 224, 249, 332, 333, 334, 335, 336)),  # ECS
    *(f"CKV_AWS_{number}" for number in (2, 91, 103, 131, 150, 261, 328, 378)),  # balancer
    *(f"CKV2_AWS_{number}" for number in (20, 28, 74, 76)),
    *(f"CKV_AWS_{number}" for number in (29, 30, 31, 191)),  # cache
    "CKV2_AWS_50",
    *("CKV_AWS_149", "CKV2_AWS_57"),  # secrets
    *(f"CKV_AWS_{number}" for number in (51, 136, 163)),  # images
    *(f"CKV_AWS_{number}" for number in (66, 158, 338)),  # logs
    *(f"CKV_AWS_{number}" for number in (23, 130, 192, 260, 382)),  # network
    *(f"CKV2_AWS_{number}" for number in (11, 12, 31)),
    *(f"CKV_AWS_{number}" for number in (7, 26, 33, 53, 54, 55, 56, 62, 63, 274, 300, 355)),  # keys, topics, buckets, rights
}
PROWLER = {
    "ecs_task_definitions_logging_block_mode",
    "ecs_task_definitions_no_environment_secrets",
    "elbv2_desync_mitigation_mode",
    "elbv2_listener_pqc_tls_enabled",
    "elbv2_unhealthy_host_count_monitored",
}
CDK_NAG = {
    *("AwsSolutions-AEC1", "AwsSolutions-AEC3", "AwsSolutions-AEC4", "AwsSolutions-AEC5", "AwsSolutions-AEC6", "AwsSolutions-EC23"),
    *("AwsSolutions-EC27", "AwsSolutions-ECR1", "AwsSolutions-ECS2", "AwsSolutions-ECS4", "AwsSolutions-ECS7", "AwsSolutions-ELB2"),
    *("AwsSolutions-IAM4", "AwsSolutions-IAM5", "AwsSolutions-KMS5", "AwsSolutions-S1", "AwsSolutions-S2", "AwsSolutions-S5"),
    *("AwsSolutions-S10", "AwsSolutions-SMG4", "AwsSolutions-SNS3", "AwsSolutions-VPC3", "AwsSolutions-VPC7"),
}
COVERED = {check for policy in POLICIES for check in policy.covers}
UNCOVERED: dict[str, str] = tomllib.loads((ROOT / "policies" / "uncovered.toml").read_text())["checks"]


def test_every_check_is_answered_or_there_is_a_reason() -> None:
    assert COVERED | UNCOVERED.keys() >= CHECKOV | PROWLER | CDK_NAG


def test_no_check_is_both_answered_and_not() -> None:
    assert not COVERED & UNCOVERED.keys()


def test_reasons_are_given_in_order_and_name_what_exists() -> None:
    names = {policy.name for policy in POLICIES}
    assert list(UNCOVERED) == sorted(UNCOVERED)
    for check, reason in UNCOVERED.items():
        assert len(reason) > 10, check
        if same := re.fullmatch(r"as (\S+)", reason):
            assert same[1] in UNCOVERED, check
        assert {name for name in re.findall(r"`([a-z-]+)`", reason) if "-" in name} <= names, check


def test_ids_are_those_of_the_tools() -> None:
    for check in COVERED | UNCOVERED.keys():
        assert re.fullmatch(r"CKV2?_AWS_\d+|AwsSolutions-[A-Z]+\d*|[a-z0-9]+(_[a-z0-9]+)+", check), check
