"""A stack's configuration as the engine would merge it: the defaults of Pulumi.yaml, the stage's file, what the command line sets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from sandbox.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parent.parent


def project() -> dict[str, Any]:
    """Pulumi.yaml as it stands."""
    return _read(ROOT / "Pulumi.yaml")


def stages() -> list[str]:
    """The stages that have a configuration file, in alphabetical order."""
    return sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml"))


def configuration(stage: str, overrides: Mapping[str, Any]) -> dict[str, str]:
    """The configuration of a stage, each key with its namespace and each value as text, as the engine hands it to a program.

    Raises:
        SandboxError: there is no such stage.
    """
    declared = project()
    defaults = {key: entry["default"] for key, entry in declared.get("config", {}).items() if "default" in entry}
    merged = defaults | (_read(stage_file(stage)).get("config") or {}) | dict(overrides)
    return {_qualified(key, declared["name"]): _text(value) for key, value in merged.items()}


def stage_file(stage: str) -> Path:
    """The file of a stage.

    Raises:
        SandboxError: there is no such stage.
    """
    path = ROOT / f"Pulumi.{stage}.yaml"
    if not path.is_file():
        raise SandboxError(f"there is no stage {stage!r}: no {path.name} beside Pulumi.yaml; there are {', '.join(stages())}")
    return path


def _qualified(key: str, name: str) -> str:
    return key if ":" in key else f"{name}:{key}"


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _read(path: Path) -> dict[str, Any]:
    try:
        return yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise SandboxError(f"{path.name} is no valid YAML: {error}") from None
