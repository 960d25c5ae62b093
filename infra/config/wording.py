"""How problems of a configuration are said: what is allowed, what was probably meant, and nothing secret."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

SECRET = "[secret]"  # noqa: S105  what stands for a secret in a message

_ALLOWED: dict[str, Callable[[dict[str, Any]], str]] = {
    "literal_error": lambda context: f"allowed: {context['expected']}",
    "greater_than_equal": lambda context: f"allowed: {context['ge']} or more",
    "less_than_equal": lambda context: f"allowed: {context['le']} or less",
    "too_short": lambda _context: "allowed: one or more",
    "int_type": lambda _context: "allowed: a whole number",
    "bool_type": lambda _context: "allowed: true or false",
    "string_type": lambda _context: "allowed: text",
    "tuple_type": lambda _context: "allowed: a list",
    "value_error": lambda context: str(context["error"]),
}


def allowed(error: ValidationError) -> str:
    """What is allowed instead of a value that pydantic refused."""
    texts = [
        _ALLOWED[item["type"]](item.get("ctx", {})) if item["type"] in _ALLOWED else item["msg"]
        for item in error.errors(include_url=False, include_input=False)
    ]
    return "; ".join(dict.fromkeys(texts))


def nearest(key: str, keys: Mapping[str, object]) -> str:
    """Which of the keys was probably meant."""
    lowered = {known.lower(): known for known in keys}
    near = difflib.get_close_matches(key.lower(), lowered, n=1)
    return f"; did you mean {lowered[near[0]]}?" if near else "; Pulumi.yaml describes all there are"


def without(secrets: set[str], problems: Iterable[str]) -> Iterator[str]:
    """The problems without what is secret, or is an OpenAI key that was put where it does not belong."""
    patterns = [re.escape(secret) for secret in secrets if secret] + [r"\bsk-[\w-]+"]
    return (re.sub("|".join(patterns), SECRET, problem) for problem in problems)
