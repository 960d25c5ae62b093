"""Keys, secrets, logs, buckets and roles in the emulated AWS."""

from __future__ import annotations

from sandbox.row import Call, Inputs, Row, renamed


def _key(call: Call, key: str, inputs: Inputs) -> None:
    call("enable_key_rotation" if inputs.get("enableKeyRotation") else "disable_key_rotation", keyId=key)
    if "policy" in inputs:
        call("put_key_policy", keyId=key, policyName="default", policy=inputs["policy"])


def _bucket(inputs: Inputs) -> Inputs:
    """S3's first region has no name as a place."""
    place = {} if inputs.get("region") in (None, "us-east-1") else {"createBucketConfiguration": {"locationConstraint": inputs["region"]}}
    return inputs | {"bucket": inputs["name"]} | place


IDENTITY = {
    "aws:kms/key:Key": Row(
        "kms", "create_key", "KeyMetadata.KeyId", "KeyId", "describe_key",
        "[KeyMetadata][?KeyState!='PendingDeletion'] | [0]",
        delete="schedule_key_deletion", delete_with=("pendingWindowInDays",),
        mutable=("policy", "enableKeyRotation", "deletionWindowInDays"), after=_key,
        prepare=renamed(deletionWindowInDays="pendingWindowInDays"),
    ),
    "aws:kms/alias:Alias": Row(
        "kms", "create_alias", "=name", "AliasName", update="update_alias", delete="delete_alias", mutable=("targetKeyId",), named=250,
        tagged=False, prepare=renamed(name="aliasName"),
    ),
    "aws:secretsmanager/secret:Secret": Row(
        "secretsmanager", "create_secret", "ARN", "SecretId", "describe_secret",
        "[@][?!DeletedDate] | [0]", "update_secret", "delete_secret",
        ("recoveryWindowInDays", "forceDeleteWithoutRecovery"), ("description", "recoveryWindowInDays"), named=200,
        prepare=lambda inputs: {key: value for key, value in inputs.items() if (key, value) != ("recoveryWindowInDays", 0)}
        | {"forceDeleteWithoutRecovery": inputs.get("recoveryWindowInDays") == 0},
    ),
    "aws:secretsmanager/secretVersion:SecretVersion": Row(
        "secretsmanager", "put_secret_value", "join('|', [ARN, VersionId])", tagged=False,
    ),
    "aws:s3/bucket:Bucket": Row(
        "s3", "create_bucket", "=name", "Prefix", "list_buckets", "Buckets[0]", delete="delete_bucket", mutable=("forceDestroy",), named=63,
        tagged=False, prepare=_bucket, outputs={"bucket": "Name", "arn": "join('', ['arn:aws:s3:::', Name])"},
    ),
    "aws:cloudwatch/logGroup:LogGroup": Row(
        "logs", "create_log_group", "=name", "logGroupName", "describe_log_groups", "logGroups[0]", delete="delete_log_group",
        mutable=("retentionInDays",), named=500, prepare=renamed(name="logGroupName"),
        after=lambda call, group, inputs: call("put_retention_policy", logGroupName=group, retentionInDays=inputs["retentionInDays"]),
        outputs={"arn": "logGroupArn"},
    ),
    "aws:cloudwatch/logResourcePolicy:LogResourcePolicy": Row(
        "logs", "put_resource_policy", "=policyName", "policyName", update="put_resource_policy", delete="delete_resource_policy",
        mutable=("policyDocument",), tagged=False,
    ),
    "aws:iam/role:Role": Row(
        "iam", "create_role", "Role.RoleName", "RoleName", "get_role", "Role", "update_assume_role_policy", "delete_role",
        mutable=("assumeRolePolicy",), named=64,
        prepare=lambda inputs: inputs | {"roleName": inputs["name"], "assumeRolePolicyDocument": inputs["assumeRolePolicy"],
                                         "policyDocument": inputs["assumeRolePolicy"]},
    ),
    "aws:iam/rolePolicy:RolePolicy": Row(
        "iam", "put_role_policy", "=role,name", update="put_role_policy", delete="delete_role_policy", mutable=("policy",), named=128,
        tagged=False, prepare=renamed(role="roleName", name="policyName", policy="policyDocument"),
    ),
}  # fmt: skip
