"""The stand-in's answers that have a form to keep: calls of a tool, and JSON by a schema."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import reduce
from operator import getitem
from typing import Any

from sandbox.openai_shapes import ApiError, Body, last_said, pieces

PLAIN: dict[object, Any] = {"string": "text", "integer": 1, "number": 1.5, "boolean": True, "null": None}


def tool_call(body: Body, messages: list[Body]) -> Body | None:
    """The call of a tool: of the one that is asked for, or that the user names. Once it was called, its result is answered with words."""
    choice, functions = body.get("tool_choice"), _functions(body)
    if not functions or choice == "none" or messages[-1].get("role") == "tool":
        return None
    wanted = _object(_object(choice).get("function")).get("name")
    said = last_said(messages)
    named = [function for function in functions if function["name"] == wanted or (not wanted and function["name"] in said)]
    if not named and choice != "required":
        return None
    function = (named or functions)[0]
    arguments = json.dumps(example(_object(function.get("parameters"))))
    digest = hashlib.sha256(f"{function['name']}{arguments}".encode()).hexdigest()
    return {"id": f"call_{digest[:24]}", "type": "function", "function": {"name": function["name"], "arguments": arguments}}


def call_deltas(call: Body, index: int, text: str, reason: str, model: str) -> Iterator[Body]:
    """The stream of a call, whose arguments are the text: what is called comes first, and the arguments piece by piece."""
    begun = call | {"index": 0, "function": call["function"] | {"arguments": ""}}
    yield {"index": index, "delta": {"role": "assistant", "content": None, "tool_calls": [begun]}, "finish_reason": None}
    for piece in pieces(text, model):
        yield {"index": index, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}, "finish_reason": None}
    yield {"index": index, "delta": {}, "finish_reason": reason}


def formatted(body: Body) -> str | None:
    """The answer in the form that `response_format` asks for; None for plain text."""
    form = _object(body.get("response_format"))
    if form.get("type") == "json_schema":
        return json.dumps(example(_object(_object(form.get("json_schema")).get("schema"))))
    return "{}" if form.get("type") == "json_object" else None


def example(schema: Body, root: Body | None = None) -> Any:
    """Something that a JSON schema of the usual kinds allows, the same for the same schema.

    Raises:
        ApiError: it cannot be read.
    """
    root = schema if root is None else root
    try:
        if "$ref" in schema:
            return example(reduce(getitem, schema["$ref"].removeprefix("#/").split("/"), root), root)
        if one_of := schema.get("anyOf") or schema.get("allOf"):
            return example(one_of[0], root)
        if "const" in schema or "enum" in schema:
            return schema.get("const", schema.get("enum", [None])[0])
        kind = schema.get("type", "object")
        kind = kind[0] if isinstance(kind, list) else kind
        if kind == "object":
            return {name: example(member, root) for name, member in schema.get("properties", {}).items()}
        return [example(schema.get("items", {"type": "string"}), root)] if kind == "array" else PLAIN[kind]
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError):
        raise ApiError(400, "Invalid schema.", "invalid_json_schema") from None


def _functions(body: Body) -> list[Body]:
    tools = body.get("tools")
    functions = [_object(_object(tool).get("function")) for tool in tools] if isinstance(tools, list) else []
    return [function for function in functions if isinstance(function.get("name"), str)]


def _object(value: object) -> Body:
    """The value, or none of its members where it is no object."""
    return value if isinstance(value, dict) else {}
