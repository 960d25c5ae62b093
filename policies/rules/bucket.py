"""Buckets: of logs, which nobody but AWS writes and nobody but the account reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from policies.documents import conditions, principals, statements
from policies.policy import Policy, has, refused
from policies.stack import Resource, Stack

BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


def refuses_plain(policy: Resource) -> bool:
    """Whether a policy refuses whoever comes without TLS."""
    return any(
        statement.get("Effect") == "Deny"
        and ("AWS", "*") in principals(statement)
        and ("bool", "aws:securetransport", ["false"]) in conditions(statement)
        for statement in statements(policy, "policy")
    )


def blocked(block: Resource) -> bool:
    return all(block.known(name) is True for name in BLOCKS)


def owned(controls: Resource) -> bool:
    return bool(controls.known("rule.objectOwnership") == "BucketOwnerEnforced")


def rules(resource: Resource) -> list[Any]:
    return list(resource.known("rules") or [])


def forgets(bucket: Resource, stack: Stack) -> Iterator[str]:
    found = [rule for cycle in stack.linked("s3:BucketLifecycleConfiguration", "bucket", bucket) for rule in rules(cycle)]
    active = [rule for rule in found if rule.get("status") == "Enabled"]
    if not any(rule.get("expiration") for rule in active):
        yield "no lifecycle rule ends what is in it"
    if not any(rule.get("abortIncompleteMultipartUpload") for rule in active):
        yield "no lifecycle rule ends uploads that were left"


POLICIES = (
    Policy(
        name="bucket-private",
        title="A bucket cannot be made public",
        why="Most data that leaks leaks from a bucket that somebody opened for a moment.",
        fix="An s3.BucketPublicAccessBlock with all four set.",
        on=("s3:Bucket",),
        check=has("s3:BucketPublicAccessBlock", "bucket", blocked, f"with {', '.join(BLOCKS)}"),
        severity="critical",
        covers=(
            *("CKV_AWS_53", "CKV_AWS_54", "CKV_AWS_55", "CKV_AWS_56", "CKV2_AWS_6"),
            *("s3_bucket_level_public_access_block", "s3_bucket_public_access", "AwsSolutions-S2"),
        ),
        whole=True,
    ),
    Policy(
        name="bucket-tls",
        title="A bucket is reached by TLS only",
        why="Logs would cross the network as plain text.",
        fix="A statement in its policy that denies aws:SecureTransport false.",
        on=("s3:Bucket",),
        check=has("s3:BucketPolicy", "bucket", refuses_plain, "that denies aws:SecureTransport false to all"),
        covers=("CKV_AWS_379", "s3_bucket_secure_transport_policy", "AwsSolutions-S10"),
        whole=True,
    ),
    Policy(
        name="bucket-encrypted",
        title="A bucket says how it encrypts",
        why="S3 encrypts anyway; said, it stays so.",
        fix="An s3.BucketServerSideEncryptionConfiguration; SSE-S3 where the balancer writes, which can use no other.",
        on=("s3:Bucket",),
        check=has("s3:BucketServerSideEncryptionConfiguration", "bucket", lambda encryption: bool(rules(encryption))),
        covers=("CKV_AWS_19", "s3_bucket_default_encryption"),
        whole=True,
    ),
    Policy(
        name="bucket-forgets",
        title="A bucket ends what is in it",
        why="Addresses of callers are personal data: they are kept as long as said, and not longer.",
        fix="An s3.BucketLifecycleConfiguration with expiration and abort_incomplete_multipart_upload.",
        on=("s3:Bucket",),
        check=forgets,
        covers=("CKV2_AWS_61", "CKV_AWS_300", "s3_bucket_lifecycle_enabled"),
        whole=True,
    ),
    Policy(
        name="bucket-no-acl",
        title="A bucket has no access lists",
        why="They grant by object, past the policy that was reviewed.",
        fix="s3.BucketOwnershipControls with BucketOwnerEnforced.",
        on=("s3:Bucket",),
        check=has("s3:BucketOwnershipControls", "bucket", owned, "with BucketOwnerEnforced"),
        covers=("CKV_AWS_20", "CKV_AWS_57", "s3_bucket_acl_prohibited"),
        whole=True,
    ),
    Policy(
        name="bucket-no-objects",
        title="The program writes no access list and no website",
        why="A bucket holds logs, and those are nobody's to see.",
        fix="Take it out.",
        on=("s3:BucketAcl", "s3:BucketWebsiteConfiguration", "s3:BucketCorsConfiguration"),
        check=refused("it opens a bucket"),
        covers=("AwsSolutions-S5",),
    ),
)
