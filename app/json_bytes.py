"""JSON as bytes, several times as fast as the standard library's, which stands in for what orjson refuses."""

from __future__ import annotations

import json
from typing import Any

import orjson


def encode(value: Any) -> bytes:
    """The shortest JSON of a value; what is none in JSON stands there as its text."""
    try:
        return orjson.dumps(value, str)
    except TypeError:
        return _encode(value).encode()


def canonical(value: Any) -> bytes:
    """The one JSON of equal values that came out of JSON, whatever the order of their members."""
    try:
        return orjson.dumps(value, None, orjson.OPT_SORT_KEYS)
    except TypeError:
        return _canonical(value).encode()


_encode = json.JSONEncoder(separators=(",", ":"), default=str).encode
"""Takes what orjson does not: whole numbers of more than 64 bits, and halves of surrogate pairs, which only JSON's \\u can write."""
_canonical = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode
