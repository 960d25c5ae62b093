"""The repository of images."""

from __future__ import annotations

from collections.abc import Iterator

from policies.policy import Policy, equals, has
from policies.stack import Resource, Stack


def encrypted(repository: Resource, _stack: Stack) -> Iterator[str]:
    found = repository.known("encryptionConfigurations") or []
    if not any(item.get("encryptionType") == "KMS" and item.get("kmsKey") is not None for item in found):
        yield "encryptionConfigurations names no KMS key"


POLICIES = (
    Policy(
        name="image-fixed",
        title="A tag, once pushed, stays what it is",
        why="Otherwise what is pulled under a name is whatever was pushed last.",
        fix="image_tag_mutability='IMMUTABLE'.",
        on=("ecr:Repository",),
        check=equals("imageTagMutability", "IMMUTABLE"),
        covers=("CKV_AWS_51", "ecr_repositories_tag_immutability"),
    ),
    Policy(
        name="image-scanned",
        title="Images are scanned when they are pushed",
        why="Known holes in packages are found before they run.",
        fix="image_scanning_configuration with scan_on_push=True.",
        on=("ecr:Repository",),
        check=equals("imageScanningConfiguration.scanOnPush", True),
        covers=("CKV_AWS_163", "ecr_repositories_scan_images_on_push_enabled"),
    ),
    Policy(
        name="image-encrypted",
        title="Images are encrypted with the stage's key",
        why="They hold the company's program.",
        fix="encryption_configurations with KMS and kms_key=key.arn.",
        on=("ecr:Repository",),
        check=encrypted,
        covers=("CKV_AWS_136",),
    ),
    Policy(
        name="image-ends",
        title="Old images go",
        why="Each costs, and the oldest has the most holes.",
        fix="An ecr.LifecyclePolicy of the repository.",
        on=("ecr:Repository",),
        check=has("ecr:LifecyclePolicy", "repository"),
        severity="low",
        covers=("ecr_repositories_lifecycle_policy_enabled",),
        whole=True,
    ),
)
