"""The container image that tasks run."""

from __future__ import annotations

import hashlib
import json
import os.path
import re
from pathlib import Path

import pulumi_docker_build as docker
from pulumi import ComponentResource, InvokeOptions, Output, ResourceOptions
from pulumi_aws import ecr

from infra.config.stage import Stage
from infra.keys import EncryptionKey

ROOT = Path(__file__).resolve().parent.parent
KEPT_IMAGES = 20
IN_ECR = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/(?P<name>[^@:]+)")


class Image(ComponentResource):
    """An image by digest: the one that is configured, or one built here.

    A pipeline builds once and passes the same digest through all stages. Where none is passed, one plain `pulumi up` builds the
    Dockerfile for ARM64 and pushes it to a repository of the stage's own, whose tags cannot be moved and whose images are scanned.
    """

    ref: Output[str]
    repository_arn: Output[str] | None
    """The ECR repository that tasks pull from; none for another registry."""
    repository_url: Output[str] | None

    def __init__(self, *, stage: Stage, key: EncryptionKey, opts: ResourceOptions | None = None) -> None:
        super().__init__("gateway:image:Image", "image", None, opts)
        self.repository_arn = self.repository_url = None
        if stage.image:
            self.ref = Output.from_input(stage.image)
            if place := IN_ECR.match(stage.image):
                self.repository_arn = Output.from_input("arn:aws:ecr:{region}:{account}:repository/{name}".format(**place.groupdict()))
        else:
            self.ref = self._built(stage, key)
        self.register_outputs({"ref": self.ref})

    def _built(self, stage: Stage, key: EncryptionKey) -> Output[str]:
        child = ResourceOptions(parent=self)
        repository = ecr.Repository(
            "image",
            name=stage.label,
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
            encryption_configurations=[ecr.RepositoryEncryptionConfigurationArgs(encryption_type="KMS", kms_key=key.arn)],
            force_delete=not stage.protect,
            opts=ResourceOptions(parent=self, protect=stage.protect),
        )
        ecr.LifecyclePolicy("image", repository=repository.name, policy=_lifecycle(), opts=child)
        token = ecr.get_authorization_token_output(registry_id=repository.registry_id, opts=InvokeOptions(parent=self))
        registry = docker.RegistryArgs(address=repository.repository_url, username=token.user_name, password=Output.secret(token.password))
        here = os.path.relpath(ROOT)  # relative, or each machine would see a change
        built = docker.Image(
            "image",
            context=docker.BuildContextArgs(location=here),
            dockerfile=docker.DockerfileArgs(location=f"{here}/Dockerfile"),
            platforms=[docker.Platform.LINUX_ARM64],
            tags=[Output.concat(repository.repository_url, ":", source_tag(ROOT))],
            registries=[registry],
            push=True,
            build_on_preview=False,
            opts=child,
        )
        self.repository_arn, self.repository_url = repository.arn, repository.repository_url
        ref: Output[str] = built.ref
        return ref


def source_tag(root: Path) -> str:
    """A tag that follows from what the image is built from: the same sources never push a second image under a tag that cannot move."""
    digest = hashlib.sha256()
    files = [root / "Dockerfile", *sorted((root / "app").rglob("*"))]
    for path in files:
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _lifecycle() -> str:
    selection = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": KEPT_IMAGES}
    rule = {
        "rulePriority": 1,
        "description": f"Keep the last {KEPT_IMAGES} images",
        "selection": selection,
        "action": {"type": "expire"},
    }
    return json.dumps({"rules": [rule]}, sort_keys=True)
