"""What a policy document lets somebody do, as IAM decides it: actions, resources, principals and conditions; a denial wins."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Statement = Mapping[str, Any]


@dataclass(frozen=True)
class Call:
    """Somebody who wants to do something. `principal` is that of a resource's policy or of trust, as {"Service": "…"} or {"AWS": "…"}."""

    action: str
    resource: str = "*"
    principal: Mapping[str, str] = field(default_factory=dict)
    context: Mapping[str, str] = field(default_factory=dict)


def allowed(statements: Sequence[Statement], call: Call) -> bool:
    """Whether these statements, all that there are, allow a call."""
    effects = {statement["Effect"] for statement in statements if _concerns(statement, call)}
    return effects == {"Allow"}


def _concerns(statement: Statement, call: Call) -> bool:
    assert not {"NotAction", "NotPrincipal", "NotResource"} & statement.keys(), "this reading knows none of them"
    return (
        any(_like(call.action.lower(), pattern.lower()) for pattern in _all(statement["Action"]))
        and any(_like(call.resource, pattern) for pattern in _all(statement.get("Resource", "*")))
        and ("Principal" not in statement or _is(statement["Principal"], call.principal))
        and all(_holds(operator, key, values, call.context) for operator, key, values in conditions(statement))
    )


def conditions(statement: Statement) -> list[tuple[str, str, list[str]]]:
    """The conditions of a statement, each as operator, key and values."""
    return [(operator, key, _all(values)) for operator, pairs in statement.get("Condition", {}).items() for key, values in pairs.items()]


def _is(expected: Any, given: Mapping[str, str]) -> bool:
    if expected == "*":
        return True
    ((kind, name),) = given.items() if given else ((("", "")),)
    names = _all(expected.get(kind, []))
    account = re.fullmatch(r"arn:aws:iam::(\d{12}):.*", name)
    return name in names or "*" in names or bool(account and f"arn:aws:iam::{account[1]}:root" in names)


def _holds(operator: str, key: str, values: list[str], context: Mapping[str, str]) -> bool:
    actual = next((text for name, text in context.items() if name.lower() == key.lower()), None)
    match operator.removeprefix("ForAnyValue:").removesuffix("IfExists"):
        case "StringEquals" | "Bool":
            held = actual in values
        case "StringLike" | "ArnLike" | "ArnEquals":
            held = actual is not None and any(_like(actual, pattern) for pattern in values)
        case "StringNotEquals":
            held = actual not in values
        case "Null":
            return (actual is None) == (values == ["true"])
        case _:
            raise AssertionError(f"{operator}: this reading does not know it")
    return held or (actual is None and operator.endswith("IfExists"))


def _like(text: str, pattern: str) -> bool:
    parts = (".*" if sign == "*" else "." if sign == "?" else re.escape(sign) for sign in pattern)
    return bool(re.fullmatch("".join(parts), text, re.DOTALL))


def _all(value: Any) -> list[str]:
    return [str(item).lower() if isinstance(item, bool) else str(item) for item in (value if isinstance(value, list) else [value])]
