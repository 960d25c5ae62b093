"""Data at rest: the stage's key, its logs, and that nothing of it goes by mistake."""

from __future__ import annotations

from collections.abc import Iterator

from policies.policy import Policy, at_least, equals, every, given
from policies.stack import Resource, Stack

YEAR_DAYS = 365


def kept(resource: Resource, _stack: Stack) -> Iterator[str]:
    if not resource.protect:
        yield "protect is not set"


def stays_full(resource: Resource, _stack: Stack) -> Iterator[str]:
    for path in ("forceDestroy", "forceDelete"):
        if resource.known(path):
            yield f"{path} = true"


POLICIES = (
    Policy(
        name="key-rotates",
        title="The key is rotated by AWS every year",
        why="What one version encrypted bounds what its loss would open.",
        fix="enable_key_rotation=True.",
        on=("kms:Key",),
        check=every(equals("enableKeyRotation", True), equals("isEnabled", True, None)),
        covers=("CKV_AWS_7", "CKV_AWS_227", "kms_cmk_rotation_enabled", "AwsSolutions-KMS5"),
    ),
    Policy(
        name="key-has-policy",
        title="The key has a policy of its own, and stays in its region",
        why="Without one IAM alone decides, and whoever may write IAM policies may read everything.",
        fix="policy=…, and no multi_region.",
        on=("kms:Key",),
        check=every(given("policy"), equals("multiRegion", False, None), equals("bypassPolicyLockoutSafetyCheck", False, None)),
        covers=("CKV2_AWS_64", "kms_cmk_not_multi_region"),
    ),
    Policy(
        name="data-protected",
        title="What holds data in a protected stage cannot be deleted by Pulumi",
        why="A wrong stack name, or a renamed resource, would take it.",
        fix="opts=ResourceOptions(protect=stage.protect).",
        on=("kms:Key", "secretsmanager:Secret", "elasticache:ReplicationGroup", "s3:Bucket"),
        check=kept,
        protected=True,
        severity="high",
        covers=("kms_cmk_not_deleted_unintentionally",),
    ),
    Policy(
        name="data-not-emptied",
        title="What holds data in a protected stage is not emptied to be deleted",
        why="AWS refuses to delete what is full, and that is the last guard.",
        fix="force_destroy and force_delete only where the stage is not protected.",
        on=("s3:Bucket", "ecr:Repository"),
        check=stays_full,
        protected=True,
    ),
    Policy(
        name="log-ends",
        title="A log group says how long it keeps its lines",
        why="Otherwise they stay for ever: a growing bill, and data that should have been forgotten.",
        fix="`logRetentionDays`.",
        on=("cloudwatch:LogGroup",),
        check=at_least("retentionInDays", 1),
        covers=("CKV_AWS_66",),
    ),
    Policy(
        name="log-year",
        title="A protected stage keeps its logs for a year or more",
        why="Break-ins are found months later, and auditors ask for a year.",
        fix="`logRetentionDays` of 365 or more.",
        on=("cloudwatch:LogGroup",),
        check=at_least("retentionInDays", YEAR_DAYS),
        protected=True,
        covers=("CKV_AWS_338", "cloudwatch_log_group_retention_policy_specific_days_enabled"),
    ),
    Policy(
        name="log-key",
        title="A log group is encrypted with the stage's key",
        why="Logs say who called when, and for how much.",
        fix="kms_key_id=key.arn.",
        on=("cloudwatch:LogGroup",),
        check=given("kmsKeyId"),
        covers=("CKV_AWS_158", "cloudwatch_log_group_kms_encryption_enabled"),
    ),
)
