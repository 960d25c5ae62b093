"""The container of a task."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from policies.policy import Check, Policy
from policies.stack import Resource, Stack

DIGEST = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")
Container = Mapping[str, Any]


def containers(about: Callable[[Container], Iterator[str]]) -> Check:
    """The check of each container."""

    def check(task: Resource, _stack: Stack) -> Iterator[str]:
        found = task.parsed("containerDefinitions") or []
        if not found:
            yield "containerDefinitions is empty"
        for container in found:
            for line in about(container):
                yield f"container {container.get('name')}: {line}"

    return check


def by_digest(container: Container) -> Iterator[str]:
    if not DIGEST.fullmatch(container.get("image", "")):
        yield f"image = {container.get('image')!r}; allowed: repository@sha256:…"


def read_only(container: Container) -> Iterator[str]:
    if container.get("readonlyRootFilesystem") is not True:
        yield "readonlyRootFilesystem is not true"


def powerless(container: Container) -> Iterator[str]:
    linux = container.get("linuxParameters") or {}
    capabilities = linux.get("capabilities") or {}
    user = str(container.get("user", ""))
    if container.get("privileged"):
        yield "privileged = true"
    if capabilities.get("drop") != ["ALL"] or capabilities.get("add"):
        yield "linuxParameters.capabilities must drop ALL and add none"
    if not user or user.split(":", maxsplit=1)[0] in ("0", "root"):
        yield f"user = {user!r}; allowed: any but root"


def reaped(container: Container) -> Iterator[str]:
    if (container.get("linuxParameters") or {}).get("initProcessEnabled") is not True:
        yield "linuxParameters.initProcessEnabled is not true"


def logged(container: Container) -> Iterator[str]:
    log = container.get("logConfiguration") or {}
    if not log.get("logDriver"):
        yield "logConfiguration is missing"
    elif (log.get("options") or {}).get("mode") != "non-blocking":
        yield "logConfiguration.options.mode is not non-blocking"
    elif "awslogs-create-group" in log["options"]:
        yield "awslogs-create-group would make a log group without a key or an end"


def asked(container: Container) -> Iterator[str]:
    if not (container.get("healthCheck") or {}).get("command"):
        yield "healthCheck is missing"


POLICIES = (
    Policy(
        name="container-image",
        title="The image is named by its digest",
        why="A tag can be moved: what runs would not be what was tested and approved.",
        fix="`image` as repository@sha256:…, or unset to build one.",
        on=("ecs:TaskDefinition",),
        check=containers(by_digest),
        severity="high",
    ),
    Policy(
        name="container-read-only",
        title="The container cannot write to its own files",
        why="Who breaks in cannot leave anything there, nor change what runs.",
        fix="readonlyRootFilesystem, and a volume for /tmp.",
        on=("ecs:TaskDefinition",),
        check=containers(read_only),
        covers=("CKV_AWS_336", "ecs_task_definitions_containers_readonly_access"),
    ),
    Policy(
        name="container-powerless",
        title="The container is not root, has no capability and no privilege",
        why="A mistake in the app must not become a way out of the container.",
        fix="user='10001:10001', capabilities {'drop': ['ALL']}, and no privileged.",
        on=("ecs:TaskDefinition",),
        check=containers(powerless),
        severity="high",
        covers=("CKV_AWS_334", "ecs_task_definitions_no_privileged_containers"),
    ),
    Policy(
        name="container-init",
        title="The container has an init process",
        why="Without one signals are lost and dead processes stay: a task would not drain.",
        fix="linuxParameters.initProcessEnabled.",
        on=("ecs:TaskDefinition",),
        check=containers(reaped),
        severity="low",
    ),
    Policy(
        name="container-logs",
        title="The container logs, into a group that exists, and never waits for it",
        why="A blocking log driver stops the app when CloudWatch is slow; a group that ECS makes itself is unencrypted and never ends.",
        fix="logConfiguration with options.mode 'non-blocking' and a group of the stage's own.",
        on=("ecs:TaskDefinition",),
        check=containers(logged),
        covers=("ecs_task_definitions_logging_enabled", "ecs_task_definitions_logging_block_mode", "AwsSolutions-ECS7"),
    ),
    Policy(
        name="container-asked",
        title="ECS asks the container whether it lives",
        why="A process that hangs is never replaced otherwise.",
        fix="healthCheck with a command.",
        on=("ecs:TaskDefinition",),
        check=containers(asked),
        severity="low",
    ),
)
