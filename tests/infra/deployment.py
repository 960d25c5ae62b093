"""What a stage deploys, as the tests look at it: resources by (type, name), whatever the order in which they were registered."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from sandbox.plan import plan
from tests.infra import warm

STAGES = ("local", "prod", "staging")
ACCOUNT = "123456789012"
ECR_IMAGE = f"{ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com/shared/gateway@sha256:{'a' * 64}"
Inputs = dict[str, Any]


@dataclass(frozen=True)
class Resource:
    """A resource as the program registered it."""

    kind: str
    id: str
    parent: str
    protect: bool
    ignore_changes: tuple[str, ...]
    trigger: Any
    """A value whose change replaces the resource."""
    depends_on: frozenset[tuple[str, str]]
    inputs: Inputs


@dataclass(frozen=True)
class Deployment:
    """All resources and outputs of one stage."""

    resources: dict[tuple[str, str], Resource]
    outputs: dict[str, Any]
    planned: dict[str, Any]
    """All that was recorded, as `make plan ARGS=--json` prints it."""

    def one(self, kind: str, name: str) -> Resource:
        """The resource of that type (without `aws:` and the module's file, as `ec2:Vpc`) and name."""
        return self.resources[kind, name]

    def all(self, kind: str) -> dict[str, Resource]:
        """All resources of that type, by name."""
        return {name: resource for (its_kind, name), resource in self.resources.items() if its_kind == kind}

    def container(self) -> Inputs:
        """The one container of the task."""
        (only,) = json.loads(self.one("ecs:TaskDefinition", "gateway").inputs["containerDefinitions"])
        assert isinstance(only, dict)
        return only

    def environment(self) -> dict[str, str]:
        """The variables of that container."""
        return {item["name"]: item["value"] for item in self.container()["environment"]}

    def policy(self, kind: str, name: str, key: str = "policy") -> list[Inputs]:
        """The statements of a policy document."""
        statements = json.loads(self.one(kind, name).inputs[key])["Statement"]
        assert isinstance(statements, list)
        return statements


@cache
def _deploy(stage: str, overrides: tuple[tuple[str, str], ...]) -> Deployment:
    planned = asyncio.run(plan(stage, dict(overrides), warm.events))
    resources = {}
    for item in planned["resources"]:
        resource = Resource(
            kind=item["type"],
            id=item["id"],
            parent=item["parent"],
            protect=item["protect"],
            ignore_changes=tuple(item["ignoreChanges"]),
            trigger=item["replacementTrigger"],
            depends_on=frozenset((_short(kind), name) for kind, name in (urn.rsplit("::", 1) for urn in item["dependsOn"])),
            inputs=item["inputs"],
        )
        key = _short(item["type"]), item["name"]
        assert key not in resources, f"two resources are {key}"
        resources[key] = resource
    return Deployment(resources, planned["outputs"], planned)


def deploy(stage: str, **overrides: object) -> Deployment:
    """Run the program for a stage, with configuration that differs from its file; once for the same arguments.

    Raises:
        SandboxError: the program refuses; the message is its own.
    """
    texts = ((key, value if isinstance(value, str) else json.dumps(value)) for key, value in sorted(overrides.items()))
    return _deploy(stage, tuple(texts))


def _short(kind: str) -> str:
    package, module, noun = kind.split(":")
    service = module.split("/")[0]
    return f"{service}:{noun}" if package in ("aws", "gateway") else f"{package}:{noun}"
