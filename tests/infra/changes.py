"""What another configuration would do to the resources of a stage: created, deleted, updated in place or replaced."""

from __future__ import annotations

import json

from sandbox.resources import Resources, changed
from tests.infra.deployment import Deployment, Resource

CREATE, DELETE, UPDATE, REPLACE = "create", "delete", "update", "replace"
PLANNER = Resources(None)
PROVIDER = ("pulumi:aws", "aws")


def changes(before: Deployment, after: Deployment) -> dict[tuple[str, str], str]:
    """The effect on each resource that is not left alone, by (type, name).

    What refers to a replaced resource changes too, as under the engine, which does not know the new one's id yet. In another region
    everything is another thing.
    """
    old, new = _custom(before), _custom(after)
    both = old.keys() & new.keys()
    moved = old[PROVIDER].inputs["region"] != new[PROVIDER].inputs["region"]
    replaced: set[tuple[str, str]] = set()
    while True:
        dead = [old[key].id for key in replaced]
        differing = {key: _differing(old[key], new[key], dead) for key in both}
        triggered = {key for key in both if old[key].trigger != new[key].trigger or _mentions(new[key].trigger, dead)}
        found = {key for key, names in differing.items() if moved or key in triggered or _replaces(old[key], names)}
        if found == replaced:
            break
        replaced = found
    effects = {key: REPLACE if key in replaced else UPDATE for key, names in differing.items() if names or key in replaced}
    return effects | dict.fromkeys(new.keys() - both, CREATE) | dict.fromkeys(old.keys() - both, DELETE)


def _custom(deployed: Deployment) -> dict[tuple[str, str], Resource]:
    return {key: resource for key, resource in deployed.resources.items() if not resource.kind.startswith("gateway:")}


def _differing(before: Resource, after: Resource, dead: list[str]) -> set[str]:
    names = set(changed(before.inputs, after.inputs)) | {name for name, value in after.inputs.items() if _mentions(value, dead)}
    return names - set(after.ignore_changes)


def _mentions(value: object, identifiers: list[str]) -> bool:
    text = json.dumps(value)
    return any(identifier in text for identifier in identifiers)


def _replaces(resource: Resource, names: set[str]) -> bool:
    return bool(PLANNER.replaces(resource.kind, dict.fromkeys(names, 0), dict.fromkeys(names, 1)))
