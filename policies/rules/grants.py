"""What resources grant to others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from policies.documents import EQUAL, Statement, conditions, each, limited, listed, principals
from policies.policy import Policy

GRANTS: Mapping[str, str] = {
    "kms:Key": "policy",
    "s3:BucketPolicy": "policy",
    "sns:TopicPolicy": "policy",
    "ecr:RepositoryPolicy": "policy",
    "secretsmanager:SecretPolicy": "policy",
    "cloudwatch:LogResourcePolicy": "policyDocument",
    **dict.fromkeys(("s3:Bucket", "sns:Topic", "secretsmanager:Secret"), "policy"),
}
"""What resources grant."""
ACCOUNT_PATH = re.compile(r"/AWSLogs/\d{12}/")
WHOLE = ("*", "ecr:*", "kms:*", "logs:*", "s3:*", "secretsmanager:*", "sns:*")
DATA = ("kms:CreateGrant", "kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKey*")


def public(statement: Statement) -> Iterator[str]:
    if ("AWS", "*") in principals(statement) and not limited(statement):
        yield "it grants to everybody"


def deputy(statement: Statement) -> Iterator[str]:
    """AWS writes a log only below its own account's name, so a path that names the account binds as a condition does."""
    resources = listed(statement.get("Resource"))
    path = bool(resources) and all(ACCOUNT_PATH.search(str(resource)) for resource in resources)
    for kind, who in principals(statement):
        if kind == "Service" and not limited(statement) and not path:
            yield f"{who} may use it on behalf of any account"


def whole_key(statement: Statement) -> Iterator[str]:
    """Everything, granted to anyone but the account, whose right nobody can take away without losing the key."""
    wide = [action for action in listed(statement.get("Action")) if action in WHOLE]
    if wide and any(not (kind == "AWS" and who.endswith(":root")) for kind, who in principals(statement)):
        yield f"Action = {', '.join(wide)}"


def by_itself(statement: Statement) -> Iterator[str]:
    """A use of the key by whoever IAM lets, and not only through the services that keep data."""
    used = [action for action in listed(statement.get("Action")) if action in DATA or action in WHOLE]
    through = any(operator in EQUAL and key == "kms:viaservice" for operator, key, _values in conditions(statement))
    if used and not through and any(kind == "AWS" for kind, _who in principals(statement)):
        yield f"{', '.join(used)} without kms:ViaService"


POLICIES = (
    Policy(
        name="grant-not-public",
        title="No resource grants anything to everybody",
        why="Everybody is every account of AWS.",
        fix="Name the principal, or limit it by aws:SourceAccount or kms:CallerAccount.",
        on=tuple(GRANTS),
        check=each(GRANTS, public),
        severity="critical",
        covers=(
            *("CKV_AWS_33", "CKV_AWS_70", "CKV_AWS_169", "CKV_AWS_385", "AwsSolutions-ECR1", "s3_bucket_policy_public_write_access"),
            *("kms_key_not_publicly_accessible", "sns_topics_not_publicly_accessible", "secretsmanager_not_publicly_accessible"),
            *("ecr_repositories_not_publicly_accessible", "cloudwatch_log_group_not_publicly_accessible"),
        ),
    ),
    Policy(
        name="grant-bound",
        title="What a resource grants to a service is for this account only",
        why="The service could be made to use it on behalf of another account.",
        fix="A condition on aws:SourceAccount or aws:SourceArn.",
        on=tuple(GRANTS),
        check=each(GRANTS, deputy),
        severity="high",
    ),
    Policy(
        name="key-through-services",
        title="The key is used through the services that keep the stage's data only",
        why="Whoever administers the account could otherwise decrypt what he copied, and no service would have seen it.",
        fix="A condition on kms:ViaService for every statement that lets an account or a role decrypt.",
        on=("kms:Key",),
        check=each(GRANTS, by_itself),
    ),
    Policy(
        name="grant-narrow",
        title="No resource lets anybody but its account do everything",
        why="Whoever may do everything may change who may.",
        fix="Name each action.",
        on=tuple(GRANTS),
        check=each(GRANTS, whole_key),
        severity="high",
    ),
)
