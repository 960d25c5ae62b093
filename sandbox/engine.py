"""Runs the Pulumi program under the real engine, against the emulated AWS: `python -m sandbox.engine STAGE [key=value …]`.

Pulumi's Automation API drives the CLI on PATH. State, PULUMI_HOME, the stage's file and the provider's launcher stand in a folder of
the run's own, with links to the program: nothing of the user's is touched. Events are printed as `sandbox.deploy` says.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pulumi import automation

from sandbox.aws import CREDENTIALS
from sandbox.errors import SandboxError
from sandbox.rows import ROWS
from sandbox.stack import ROOT, project, stage_file

LAUNCHER = '#!/bin/sh\ncd "{root}" && exec "{python}" -m sandbox.provider "$@"\n'


class Engine:
    """One stack under the engine, in a folder of its own."""

    def __init__(self, folder: Path, stage: str, overrides: Mapping[str, Any]) -> None:
        """Make the stack.

        Args:
            folder: where everything of the run is kept; it must exist.
            stage: the stage whose file is taken.
            overrides: configuration that differs from it.

        Raises:
            SandboxError: the CLI refuses.
        """
        for name in ("state", "home", "bin", "project"):
            (folder / name).mkdir(exist_ok=True)
        launcher = folder / "bin" / "pulumi-resource-aws"
        launcher.write_text(LAUNCHER.format(root=ROOT, python=sys.executable))
        launcher.chmod(0o700)
        work = folder / "project"
        for source in (ROOT / "Pulumi.yaml", stage_file(stage)):
            shutil.copy(source, work)
        links = {project().get("main", "infra").rstrip("/"): ROOT / project().get("main", "infra"), ".venv": Path(sys.prefix)}
        for name, target in links.items():
            if not (work / name).exists():
                (work / name).symlink_to(target)
        variables = {
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "SANDBOX_PROVIDER_VERSION": version("pulumi-aws"),
            **CREDENTIALS,
        }
        try:
            command = automation.PulumiCommand()
            self.version = f"pulumi {command.version}"
            options = automation.LocalWorkspaceOptions(work_dir=str(work), env_vars=variables, pulumi_command=command)
            self.stack = automation.create_or_select_stack(stage, work_dir=str(work), opts=options)
            self.stack.set_all_config({key: automation.ConfigValue(str(value)) for key, value in overrides.items()})
        except automation.CommandError as error:
            raise SandboxError(f"the pulumi CLI refuses the stack: {error}") from None

    def up(self) -> dict[str, Any]:
        """Deploy and print the events; the outputs.

        Raises:
            SandboxError: the deployment failed; the message is the engine's diagnosis.
        """
        problems: list[str] = []

        def on_event(event: automation.EngineEvent) -> None:
            if event.res_outputs_event is not None:
                kind = event.res_outputs_event.metadata.type
                name = event.res_outputs_event.metadata.urn.rpartition("::")[2]
                if kind.startswith("aws:"):
                    _print(resource={"type": kind, "name": name, "how": "created" if kind in ROWS else "recorded"})
            if event.diagnostic_event is not None and event.diagnostic_event.severity == "error":
                problems.append(event.diagnostic_event.message.strip())

        try:
            result = self.stack.up(on_event=on_event, suppress_outputs=True)
        except automation.CommandError:
            raise SandboxError("\n".join(problems) or "the deployment failed") from None
        return {key: "[secret]" if output.secret else output.value for key, output in result.outputs.items()}


def _print(**event: object) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Deploy a stage; 0, or 1 after an {"error"} line."""
    with tempfile.TemporaryDirectory(prefix="openai-gateway-") as folder:
        try:
            engine = Engine(Path(folder), arguments[0], dict(item.split("=", 1) for item in arguments[1:]))
            _print(outputs=engine.up(), engine=engine.version)
        except SandboxError as error:
            _print(error=str(error))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
