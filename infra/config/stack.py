"""A stack's configuration as the engine would merge it: the defaults of Pulumi.yaml, the stage's file, what the command line sets.

For commands that look at a stage without the engine; the program itself never reads these files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent


class StackError(Exception):
    """There is no such stage, or a file cannot be read; the message is one clear line."""


def project() -> dict[str, Any]:
    """Pulumi.yaml as it stands."""
    return _read(ROOT / "Pulumi.yaml")


def stages() -> list[str]:
    """The stages that have a configuration file, in alphabetical order."""
    return sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml"))


def values(stage: str, overrides: Mapping[str, Any]) -> dict[str, str]:
    """The configuration of a stage by bare key, each value as text, as the engine hands it to a program.

    Raises:
        StackError: there is no such stage.
    """
    defaults = {key: entry["default"] for key, entry in project().get("config", {}).items() if "default" in entry}
    merged = defaults | (_read(stage_file(stage)).get("config") or {}) | dict(overrides)
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in merged.items()}


def stage_file(stage: str) -> Path:
    """The file of a stage.

    Raises:
        StackError: there is no such stage.
    """
    path = ROOT / f"Pulumi.{stage}.yaml"
    if not path.is_file():
        raise StackError(f"there is no stage {stage!r}: no {path.name} beside Pulumi.yaml; there are {', '.join(stages())}")
    return path


def _read(path: Path) -> dict[str, Any]:
    try:
        return yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise StackError(f"{path.name} is no valid YAML: {error}") from None
