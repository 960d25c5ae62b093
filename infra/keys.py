"""The stage's encryption key."""

from __future__ import annotations

from pulumi import ComponentResource, Output, ResourceOptions
from pulumi_aws import kms

from infra.policies import Statement, document
from infra.stage import Stage

SHORTEST_WINDOW_DAYS = 7


class EncryptionKey(ComponentResource):
    """One KMS key for all that the stage keeps: secrets, logs, cache and images.

    The account administers it, so that IAM policies decide who else may use it. CloudWatch Logs has no role that a policy could name,
    so the key's own policy lets it in, for this stage's log groups only. A key of the stage's own, rather than AWS's, is what makes
    "who could read this" a question with an answer, and deleting the key deletes everything that it encrypted.
    """

    arn: Output[str]

    def __init__(self, *, stage: Stage, account: Output[str], opts: ResourceOptions | None = None) -> None:
        super().__init__("gateway:keys:EncryptionKey", "key", None, opts)
        key = kms.Key(
            "key",
            description=f"{stage.label}: secrets, logs, cache and images",
            policy=document(*_statements(stage, account)),
            enable_key_rotation=True,
            deletion_window_in_days=max(SHORTEST_WINDOW_DAYS, stage.secret_recovery_days),
            opts=ResourceOptions(parent=self, protect=stage.protect),
        )
        kms.Alias("key", name=f"alias/{stage.label}", target_key_id=key.key_id, opts=ResourceOptions(parent=self))
        self.arn = key.arn
        self.register_outputs({"arn": self.arn})


def _statements(stage: Stage, account: Output[str]) -> list[Statement]:
    groups = Output.format("arn:aws:logs:{0}:{1}:log-group:/{2}/*", stage.region, account, stage.label)
    return [
        {
            "Sid": "AccountAdministers",
            "Effect": "Allow",
            "Principal": {"AWS": Output.format("arn:aws:iam::{0}:root", account)},
            "Action": "kms:*",
            "Resource": "*",
        },
        {
            "Sid": "LogsOfThisStage",
            "Effect": "Allow",
            "Principal": {"Service": f"logs.{stage.region}.amazonaws.com"},
            "Action": ["kms:Decrypt", "kms:Describe*", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
            "Resource": "*",
            "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
        },
    ]
