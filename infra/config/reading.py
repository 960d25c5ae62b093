"""Reading a stage's values: from text, or JSON, as the engine hands them over, to what the model's fields are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from infra.config.wording import allowed, nearest


def keys(fields: Mapping[str, FieldInfo]) -> dict[str, str]:
    """The names of the fields that are configuration, by key."""
    return {str(field.alias): name for name, field in fields.items() if not field.exclude}


def read(fields: Mapping[str, FieldInfo], given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The values by field, and a line for each key that is unknown, is missing or has a wrong value."""
    names = keys(fields)
    problems = [f"{key}: there is no such key{nearest(key, names)}" for key in sorted(given.keys() - names.keys())]
    values: dict[str, Any] = {}
    for key, name in names.items():
        field = fields[name]
        if key not in given:
            problems.append(f"{key}: has no value, and no default in Pulumi.yaml")
            continue
        value = given[key] if field.annotation is str else _parsed(given[key])
        try:
            values[name] = _adapter(field).validate_python(value, strict=True)
        except ValidationError as error:
            problems.append(f"{key} = {json.dumps(value, ensure_ascii=False)}: {allowed(error)}")
    return values, problems


def _adapter(field: FieldInfo) -> TypeAdapter[Any]:
    annotated: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    return TypeAdapter(annotated)


def _parsed(value: object) -> object:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return value
    return tuple(value) if isinstance(value, list) else value
