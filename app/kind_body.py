"""A request's body: read once, and sent on with as few changed bytes as can be."""

from __future__ import annotations

import json
import math
import re
from functools import cache
from typing import Any, NoReturn

from app.errors import InvalidRequestError
from app.json_bytes import encode

MAX_DEPTH = 64
_JSON = "invalid_json"


def parse(body: bytes) -> dict[str, Any]:
    """The request's members.

    Raises:
        InvalidRequestError: it is not one JSON object, or is nested too deeply.
    """
    try:
        request = _DECODER.decode(body.decode())
    except InvalidRequestError:
        raise
    except (ValueError, RecursionError):
        raise InvalidRequestError("We could not parse the JSON body of your request.", code=_JSON) from None
    if not isinstance(request, dict):
        raise InvalidRequestError("The body of your request must be a JSON object.", code=_JSON)
    _measure(request)
    return request


def rewrite(body: bytes, request: dict[str, Any], changes: dict[str, Any]) -> bytes:
    """The body with these members, new or in place of others. What was sent stays as it is, to the byte, wherever that is possible."""
    new = {name: value for name, value in changes.items() if name not in request}
    for name, value in changes.items():
        if name in request and request[name] != value:
            replaced = _replace(body, name, value)
            if replaced is None:
                return encode(request | changes)
            body = replaced
    if not new:
        return body
    brace = body.index(b"{") + 1
    added = encode(new)[1:-1]
    return b"".join((body[:brace], added, b"," if request else b"", body[brace:]))


def _replace(body: bytes, name: str, value: object) -> bytes | None:
    """The body with a member's plain value replaced, if it is certain where that stands: the name is there but once, and not in escapes."""
    quoted = b'"%b"' % name.encode()
    if body.count(quoted) != 1 or _ESCAPED_LETTER.search(body):
        return None
    found = _member(quoted).match(body, body.index(quoted))
    return b"".join((body[: found.start(1)], encode(value), body[found.end(1) :])) if found else None


@cache
def _member(quoted: bytes) -> re.Pattern[bytes]:
    return re.compile(re.escape(quoted) + rb'\s*:\s*("(?:[^"\\]|\\.)*"|[-+.\w]+)')


def _measure(request: dict[str, Any]) -> None:
    """Refuse what is nested too deeply: what comes later may well go through it by recursion."""
    level: list[Any] = [request]
    for _ in range(MAX_DEPTH):
        level = [item for node in level for item in (node.values() if type(node) is dict else node) if type(item) in _CONTAINERS]
        if not level:
            return
    raise InvalidRequestError(f"The body of your request is nested more than {MAX_DEPTH} levels deep.", code=_JSON)


_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")
_CONTAINERS = frozenset({dict, list})


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object. As the bytes go out unchanged, what was checked must be what OpenAI reads: a name that stands twice leaves that open."""
    found = dict(members)
    if len(found) != len(members):
        raise InvalidRequestError("An object in the body of your request has two members of the same name.", code=_JSON)
    return found


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number too large for JSON's readers")
    return number


def _constant(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
