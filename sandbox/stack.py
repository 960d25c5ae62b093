"""A stack's configuration as `infra.config.stack` merges it, with each key's namespace and with problems in the sandbox's own error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.config import stack
from sandbox.errors import SandboxError

ROOT = stack.ROOT


def project() -> dict[str, Any]:
    """Pulumi.yaml as it stands."""
    with _worded():
        return stack.project()


def configuration(stage: str, overrides: Mapping[str, Any]) -> dict[str, str]:
    """The configuration of a stage, each key with its namespace and each value as text, as the engine hands it to a program.

    Raises:
        SandboxError: there is no such stage.
    """
    name = project()["name"]
    with _worded():
        return {key if ":" in key else f"{name}:{key}": value for key, value in stack.values(stage, overrides).items()}


def stage_file(stage: str) -> Path:
    """The file of a stage.

    Raises:
        SandboxError: there is no such stage.
    """
    with _worded():
        return stack.stage_file(stage)


@contextmanager
def _worded() -> Iterator[None]:
    try:
        yield
    except stack.StackError as error:
        raise SandboxError(str(error)) from None
