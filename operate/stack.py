"""What a deployed stage says of itself: the outputs of its stack, read with the pulumi CLI."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


class OperateError(Exception):
    """Something that the operator can put right; the message is one clear line and says how."""


def outputs(stage: str) -> dict[str, Any]:
    """The outputs of a stage's stack.

    Raises:
        OperateError: there is no CLI, no such stack, or nothing is deployed in it.
    """
    command = ["pulumi", "stack", "output", "--json", "--stack", stage]
    try:
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise OperateError("the pulumi CLI is not on PATH: install it from https://www.pulumi.com/docs/install/") from None
    if ended.returncode:
        raise OperateError(f"`{' '.join(command)}` failed: {ended.stderr.strip().splitlines()[-1:] or ['it gave no reason']}")
    found = json.loads(ended.stdout)
    if "openaiSecretArn" not in found:
        raise OperateError(f"nothing is deployed in stack {stage!r} yet: run `pulumi up --stack {stage}` first")
    return dict(found)
