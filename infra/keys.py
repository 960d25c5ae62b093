"""The stage's encryption key."""

from __future__ import annotations

from collections.abc import Sequence

from pulumi import ComponentResource, Output, ResourceOptions
from pulumi_aws import kms

from infra.config.stage import Stage
from infra.policies import Statement, acting_for, document

SHORTEST_WINDOW_DAYS = 7
FIREWALL_LOGS = "aws-waf-logs-"
"""How the names of log groups begin that a firewall may write to: AWS demands it."""

ADMINISTER = (
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:RotateKeyOnDemand",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
)
"""All that concerns the key itself. No grant is among it: whoever may grant can let himself decrypt."""
PUBLISH = ("kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext")
USE = (*PUBLISH, "kms:DescribeKey", "kms:Encrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo")
GRANT = ("kms:CreateGrant", "kms:RetireGrant")
"""ECR and ElastiCache work in the background: they get a grant of their own when a repository or a cache is made."""
SERVICES = ("dax", "ecr", "elasticache", "secretsmanager", "sns")
"""Who keeps the stage's data. ElastiCache calls KMS under its own name and, at times, under DAX's."""


class EncryptionKey(ComponentResource):
    """One KMS key for all that the stage keeps: secrets, logs, cache, images and alarms; its policy names everyone who may use it.

    - The account administers it, by those whom IAM lets, but administration alone reads nothing: no data is among its rights.
    - Whoever IAM lets may use it only through the services that keep the stage's data, never directly: `make key`, the running app, a
      deployment that makes a cache or a repository. A push or pull of images needs nothing more, because ECR has its grant by then.
    - CloudWatch Logs, for the log groups of this stage.
    - CloudWatch's alarms and AWS Budgets of this account, to publish to the stage's topic.

    The last two act for themselves and have no role that IAM could name, so the conditions tie them to this account. A key of the stage's
    own, rather than AWS's, is what makes "who could read this" a question with an answer, and deleting the key deletes everything that it
    encrypted. The bucket of logs is not among it: a balancer writes only to one that S3 encrypts with its own keys.
    """

    arn: Output[str]

    def __init__(self, *, stage: Stage, account: Output[str], opts: ResourceOptions | None = None) -> None:
        super().__init__("gateway:keys:EncryptionKey", "key", None, opts)
        key = kms.Key(
            "key",
            description=f"{stage.label}: secrets, logs, cache, images and alarms",
            policy=document(*_statements(stage, account)),
            enable_key_rotation=True,
            deletion_window_in_days=max(SHORTEST_WINDOW_DAYS, stage.secret_recovery_days),
            opts=ResourceOptions(parent=self, protect=stage.protect),
        )
        kms.Alias("key", name=f"alias/{stage.label}", target_key_id=key.key_id, opts=ResourceOptions(parent=self))
        self.arn = key.arn
        self.register_outputs({"arn": self.arn})


def _statements(stage: Stage, account: Output[str]) -> list[Statement]:
    people = {"AWS": Output.format("arn:aws:iam::{0}:root", account)}
    through = {
        "kms:CallerAccount": account,
        "kms:ViaService": [f"{service}.{stage.region}.amazonaws.com" for service in SERVICES],
    }
    logs = Output.format("arn:aws:logs:{0}:{1}:log-group:", stage.region, account)
    groups = [Output.concat(logs, name) for name in (f"/{stage.label}/*", f"{FIREWALL_LOGS}{stage.label}")]
    return [
        _allow("AccountAdministers", people, ADMINISTER),
        _allow("ThroughServices", people, (*USE, *GRANT), {"StringEquals": through}),
        _allow(
            "LogsOfThisStage",
            {"Service": f"logs.{stage.region}.amazonaws.com"},
            USE,
            {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
        ),
        _publisher(
            "Alarms", "cloudwatch.amazonaws.com", account, Output.format("arn:aws:cloudwatch:{0}:{1}:alarm:*", stage.region, account)
        ),
        _publisher("Budgets", "budgets.amazonaws.com", account, Output.format("arn:aws:budgets::{0}:*", account)),
    ]


def _publisher(sid: str, service: str, account: Output[str], source_arn: Output[str]) -> Statement:
    return _allow(sid, {"Service": service}, PUBLISH, acting_for(account, source_arn))


def _allow(sid: str, principal: Statement, actions: Sequence[str], condition: Statement | None = None) -> Statement:
    """A key's policy speaks of the key that it belongs to: `*` is that key."""
    statement = {"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": sorted(actions), "Resource": "*"}
    return statement | ({"Condition": condition} if condition else {})
