"""What a stage would create, with no account: `python -m sandbox plan --stage prod`. The program is run in process and recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from sandbox.deploy import IN_PROCESS, events
from sandbox.stack import stage_file

Run = Callable[[str, str, Mapping[str, str], Mapping[str, str]], AsyncIterator[dict[str, Any]]]


async def plan(stage: str, overrides: dict[str, str] | None = None, run: Run = events) -> dict[str, Any]:
    """Run the program of a stage without AWS.

    Args:
        stage: a stage that has a file Pulumi.<stage>.yaml.
        overrides: configuration that differs from it.
        run: what runs the program.

    Returns:
        `stage`, `engine`, `resources` (each with `type`, `name`, `parent`, `inputs`, `protect`, `ignoreChanges`, `dependsOn`,
        `propertyDependencies`, `provider`), `outputs`.

    Raises:
        SandboxError: there is no such stage, or the program refuses its configuration.
    """
    stage_file(stage)  # an unknown stage is refused before anything is run
    found: dict[str, Any] = {"stage": stage, "engine": IN_PROCESS, "resources": [], "outputs": {}}
    async for event in run("sandbox.program", stage, overrides or {}, {}):
        if "resource" in event:
            found["resources"].append(event["resource"])
        found["outputs"] = event.get("outputs", found["outputs"])
    found["resources"].sort(key=lambda resource: (resource["type"], resource["name"]))
    return found


def show(console: Console, planned: dict[str, Any]) -> None:
    """Print a plan as a table of components and what each makes."""
    resources = [resource for resource in planned["resources"] if resource["how"] in ("created", "recorded")]
    table = Table("component", "resources", title=f"stage {planned['stage']}: {len(resources)} resources", title_justify="left")
    parents: dict[str, Counter[str]] = {}
    for resource in resources:
        parents.setdefault(resource["parent"].rpartition("::")[2] or "(stack)", Counter())[resource["type"].rpartition(":")[2]] += 1
    for parent, kinds in sorted(parents.items()):
        table.add_row(parent, ", ".join(f"{kind} x{count}" if count > 1 else kind for kind, count in sorted(kinds.items())))
    console.print(table)
    outputs = Table("output", "value")
    for key, value in planned["outputs"].items():
        outputs.add_row(key, str(value))
    console.print(outputs)
