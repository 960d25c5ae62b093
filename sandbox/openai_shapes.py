"""What the stand-in reads out of a request and how it words an answer, and OpenAI's own errors for what cannot be read."""

from __future__ import annotations

import functools
import itertools
import json
import uuid
from typing import Any

import toktok

Body = dict[str, Any]

QUOTED_CHARACTERS = 400


class ApiError(Exception):
    """An error answer of OpenAI."""

    def __init__(self, status: int, message: str, code: str | None = None, **details: Any) -> None:
        """`details` may give `param`, `kind` and `headers`."""
        super().__init__(message)
        self.status = status
        kind = details.get("kind", "invalid_request_error")
        self.body = {"error": {"message": message, "type": kind, "param": details.get("param"), "code": code}}
        self.headers: dict[str, str] = details.get("headers", {})


def tokens(text: str, model: str) -> int:
    return int(toktok.batch_count([text], _encoding(model), threads=1)[0])


def event(data: Body) -> str:
    return f"data: {json.dumps(data, separators=(',', ':'))}\n\n"


def texts_of(said: str, count: int) -> list[str]:
    """The answers to what was said; those of one request differ."""
    quote = said if len(said) <= QUOTED_CHARACTERS else said[:QUOTED_CHARACTERS] + "…"
    text = f'This is a stand-in for OpenAI, no model was asked. You said: "{quote}"'
    return [text, *(f"{text} (Answer {number}.)" for number in range(2, count + 1))]


def finish(text: str, model: str, limit: int | None, stop: list[str]) -> tuple[str, str]:
    """The text up to the token limit or the first stop sequence, and the reason why it ends."""
    whole = limit is None or tokens(text, model) <= limit
    if limit is not None:
        text, _ = toktok.truncate(text, limit, _encoding(model))
    ends = [text.find(word) for word in stop if word in text]
    if ends:
        return text[: min(ends)], "stop"
    return text, "stop" if whole else "length"


@functools.lru_cache(maxsize=256)
def pieces(text: str, model: str) -> tuple[str, ...]:
    """The text token by token; a character of several tokens comes with its last one, as OpenAI sends it."""
    encoding = _encoding(model)
    ends = dict.fromkeys(len(toktok.truncate(text, count, encoding)[0]) for count in range(tokens(text, model) + 1))
    return tuple(text[start:end] for start, end in itertools.pairwise(ends))


def _encoding(model: str) -> str:
    return "cl100k_base" if model.startswith(("gpt-3.5", "text-embedding")) else "o200k_base"


def conversation_tokens(messages: list[Body], model: str) -> int:
    """The count of OpenAI's cookbook: 3 tokens frame each message and 3 begin the answer."""
    texts = [text for message in messages for text in (str(message.get("role", "")), content_of(message))]
    names = [str(message["name"]) for message in messages if message.get("name")]
    counts: list[int] = toktok.batch_count([*texts, *names], _encoding(model), threads=1)
    return 3 * len(messages) + 3 + sum(counts) + len(names)


def last_said(messages: list[Body]) -> str:
    return next((content_of(message) for message in reversed(messages) if message.get("role") == "user"), "")


def content_of(message: Body) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def messages_of(body: Body, name: str) -> list[Body]:
    value = required(body, name)
    if not isinstance(value, list) or not all(isinstance(message, dict) for message in value):
        raise wrong_type(name, "an array of objects", value)
    if not value:
        raise ApiError(400, f"Invalid '{name}': empty array. Expected an array with minimum length 1.", "empty_array", param=name)
    return value


def strings(body: Body, name: str) -> list[str]:
    value = required(body, name)
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values or not all(isinstance(text, str) for text in values):
        raise wrong_type(name, "a string or an array of strings", value)
    return values


def integer(body: Body, name: str) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong_type(name, "an integer", value)
    if value < 1:
        message = f"Invalid '{name}': integer below minimum value. Expected a value >= 1, but got {value} instead."
        raise ApiError(400, message, "integer_below_min_value", param=name)
    return value


def required(body: Body, name: str) -> Any:
    if body.get(name) is None:
        raise ApiError(400, f"Missing required parameter: '{name}'.", "missing_required_parameter", param=name)
    return body[name]


def wrong_type(name: str, expected: str, value: object) -> ApiError:
    names = {str: "a string", int: "an integer", float: "a decimal", bool: "a boolean", list: "an array", dict: "an object"}
    got = names.get(type(value), "null")
    return ApiError(400, f"Invalid type for '{name}': expected {expected}, but got {got} instead.", "invalid_type", param=name)


def identifier(prefix: str) -> str:
    return prefix + uuid.uuid4().hex
