"""What is recorded and not created: its id and outputs are made up by one rule, from the SDK's own description of the type."""

from __future__ import annotations

import hashlib
import importlib
import re
import typing
from typing import Any

import pulumi

from sandbox.aws import ACCOUNT


def recorded_outputs(kind: str, name: str, inputs: dict[str, Any], region: str) -> tuple[str, dict[str, Any]]:
    """An id and outputs for a resource that is not created.

    Args:
        kind: its type, as `aws:elasticache/replicationGroup:ReplicationGroup`.
        name: its name in the program.
        inputs: its inputs, which are outputs too.
        region: the region in made-up ARNs.

    Returns:
        The id, and the inputs with every output that the SDK declares as always there.
    """
    package, module, noun = kind.split(":")
    identifier = f"{name}-{hashlib.sha256(f'{kind}{name}'.encode()).hexdigest()[:7]}"
    arn = f"arn:aws:{module.split('/')[0]}:{region}:{ACCOUNT}:{noun.lower()}/{identifier}"
    made = {"id": identifier, "name": identifier} | ({"arn": arn} if package == "aws" else {})
    digest = f"sha256:{hashlib.sha256(identifier.encode()).hexdigest()}"
    by_name = {"digest": digest, "ref": f"{identifier}@{digest}"}  # an image's
    for key, hint in _declared(kind).items():
        if key not in inputs and key not in made:
            made[key] = by_name.get(key) or _plausible(hint, f"{identifier}.{key.lower()}")
    return identifier, {key: value for key, value in made.items() if value is not None} | inputs


def _declared(kind: str) -> dict[str, Any]:
    """The outputs of a type, by their names in the protocol, with their Python types."""
    package, module, noun = kind.split(":")
    parts = [_snake(part) for part in module.split("/") if part != "index"]
    tail = [] if len(parts) > 1 else [_snake(noun)]
    try:
        found = getattr(importlib.import_module(".".join([f"pulumi_{_snake(package)}", *parts, *tail])), noun)
    except (ImportError, AttributeError):
        return {}
    hints = {}
    for name, member in vars(found).items():
        if isinstance(member, property) and member.fget is not None:
            hint = typing.get_type_hints(member.fget).get("return")
            hints[_camel(name)] = (typing.get_args(hint) or (Any,))[0] if typing.get_origin(hint) is pulumi.Output else Any
    return hints


def _plausible(hint: Any, text: str) -> Any:
    """A value of a type: text, a zero, or a list of one; None for what may be absent."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is str:
        return text
    if hint in (int, float, bool):
        return hint()
    if origin is not None and type(None) not in arguments and str(origin).endswith("Sequence'>"):
        return [_plausible(arguments[0], text)]
    if isinstance(hint, type) and issubclass(hint, dict):  # an output type of the SDK
        members = {n: m for n, m in vars(hint).items() if isinstance(m, property) and m.fget is not None}
        return {_camel(n): _plausible(_present(typing.get_type_hints(m.fget).get("return")), f"{text}.{n}") for n, m in members.items()}
    return None


def _present(hint: Any) -> Any:
    return next((item for item in typing.get_args(hint) if item is not type(None)), hint) if type(None) in typing.get_args(hint) else hint


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower().replace("-", "_")


def _camel(name: str) -> str:
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(part.capitalize() for part in rest)
