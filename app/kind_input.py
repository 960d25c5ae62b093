"""The input of a request: messages and their parts, and lists of texts or of tokens; checked, counted and read."""

from __future__ import annotations

from typing import Any

from app import tokens
from app.json_bytes import encode
from app.kind import refuse
from app.model import Model

MESSAGE_TOKENS = 3
"""What frames each message, and what begins the answer."""
_TEXTS = frozenset({"text", "input_text", "output_text", "summary_text", "reasoning_text"})


def check_messages(value: object, name: str) -> None:
    if not isinstance(value, list) or not value:
        refuse(name, "must be an array with at least one message")
    for index, message in enumerate(value):
        if not isinstance(message, dict):
            refuse(f"{name}[{index}]", "must be an object")
        if not isinstance(message.get("role"), str):
            refuse(f"{name}[{index}].role", "must be a string")
        check_content(message.get("content"), name, index)


def check_content(content: object, name: str, index: int) -> None:
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        refuse(f"{name}[{index}].content", "must be a string or an array of objects")


def message_tokens(message: dict[str, Any], model: Model, found: list[str]) -> int:
    """Put the texts of a message to those to be counted, and give the tokens of all else."""
    found.append(message["role"])
    extra = MESSAGE_TOKENS
    content = message.get("content")
    if type(content) is str:
        found.append(content)
    elif content:
        extra += parts_tokens(content, model, found)
    if name := message.get("name"):
        extra += 1
        found.append(str(name))
    if "tool_calls" in message or "function_call" in message:
        found += [compact(message[member]) for member in ("tool_calls", "function_call") if message.get(member)]
    return extra


def parts_tokens(parts: list[dict[str, Any]], model: Model, found: list[str]) -> int:
    extra = 0
    for part in parts:
        kind = part.get("type")
        if not isinstance(kind, str):
            kind = ""
        if kind in _TEXTS and isinstance(part.get("text"), str):
            found.append(part["text"])
        elif kind in {"image_url", "input_image"}:
            extra += tokens.of_image(part, model.image_tokens)
        elif kind == "input_audio":
            extra += tokens.of_data(_inside(part, "input_audio", "data"), tokens.SOUND_BYTES_A_TOKEN)
        elif kind in {"file", "input_file"}:
            extra += tokens.of_data(part.get("file_data") or _inside(part, "file", "file_data"), tokens.FILE_BYTES_A_TOKEN)
        else:
            found.append(compact(part))
    return extra


def content_texts(content: object) -> list[str]:
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list):
        return []
    return [part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)]


def check_texts(value: object, name: str, most: int) -> None:
    """Refuse what is neither a text, nor an array of them, nor tokens, nor an array of those."""
    if isinstance(value, str):
        return
    if not isinstance(value, list) or not value:
        refuse(name, "must be a string or an array with at least one item")
    first = value[0]
    if type(first) is int:
        if not all(type(item) is int for item in value):
            refuse(name, "must not mix tokens with anything else")
        return
    if len(value) > most:
        refuse(name, f"must have at most {most} items in one request, and has {len(value)}")
    if isinstance(first, str):
        if not all(isinstance(item, str) for item in value):
            refuse(name, "must not mix strings with anything else")
    elif not all(isinstance(item, list) and item and all(type(token) is int for token in item) for item in value):
        refuse(name, "must be a string, an array of strings, or arrays of tokens")


def texts_tokens(value: Any, model: Model) -> int:
    if isinstance(value, str):
        return tokens.count((value,), model.encoding)
    if type(value[0]) is int:
        return len(value)
    return tokens.count(value, model.encoding) if isinstance(value[0], str) else sum(map(len, value))


def items(value: Any) -> int:
    """How many texts there are, whichever way they are written."""
    return len(value) if isinstance(value, list) and value and type(value[0]) is not int else 1


def strings(value: object) -> list[str]:
    return [value] if isinstance(value, str) else [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def compact(value: object) -> str:
    return value if isinstance(value, str) else encode(value).decode()


def _inside(part: dict[str, Any], name: str, member: str) -> object:
    inner = part.get(name)
    return inner.get(member) if isinstance(inner, dict) else None
