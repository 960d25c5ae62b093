"""Tokens that an answer says it used, found without parsing the answer."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

TAIL_BYTES = 4096
"""The end of an answer that holds its usage: OpenAI writes it last."""

_USAGE = re.compile(rb'"usage"\s*:\s*(?=\{)')  # inside a string its quotes would be escaped, so no answer's text can look like it
_DECODER = json.JSONDecoder()


class Usage(NamedTuple):
    prompt_tokens: int
    completion_tokens: int


def find_usage(tail: bytes) -> Usage | None:
    """The last usage in the end of an answer, plain or streamed."""
    starts = [found.end() for found in _USAGE.finditer(tail)]
    if not starts:
        return None
    try:
        usage, _ = _DECODER.raw_decode(tail[starts[-1] :].decode(errors="replace"))
        return Usage(int(usage["prompt_tokens"]), int(usage["completion_tokens"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
