"""IAM documents as policies look at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from policies.policy import Check
from policies.stack import Resource, Stack

Statement = Mapping[str, Any]
LIMITS = frozenset(
    name.lower()
    for name in (
        "aws:PrincipalAccount",
        "aws:PrincipalArn",
        "aws:PrincipalOrgID",
        "aws:ResourceAccount",
        "aws:SourceAccount",
        "aws:SourceArn",
        "aws:SourceOrgID",
        "kms:CallerAccount",
        "kms:EncryptionContext:aws:logs:arn",
    )
)
"""The conditions that bind a statement to an account or a resource."""
EQUAL = {"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike"}


def statements(resource: Resource, path: str) -> list[Statement]:
    """The statements of the document at a path; none, where there is no document."""
    document = resource.parsed(path)
    found = document.get("Statement", []) if isinstance(document, Mapping) else []
    return list(found) if isinstance(found, list) else [found]


def listed(value: Any) -> list[Any]:
    """One or several, as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def allows(statement: Statement) -> bool:
    return bool(statement.get("Effect") == "Allow")


def principals(statement: Statement) -> Iterator[tuple[str, str]]:
    """Who a statement is about, as (`Service`, `ecs.amazonaws.com`); everybody is (`AWS`, `*`)."""
    who = "*" if "NotPrincipal" in statement else statement.get("Principal")
    if isinstance(who, str):
        yield "AWS", who
    elif isinstance(who, Mapping):
        yield from ((str(kind), str(one)) for kind, ones in who.items() for one in listed(ones))


def conditions(statement: Statement) -> Iterator[tuple[str, str, list[str]]]:
    """Each condition as operator, key and values; the first two in lower case."""
    for operator, keys in (statement.get("Condition") or {}).items():
        for key, values in keys.items():
            yield str(operator).lower(), str(key).lower(), [str(value) for value in listed(values)]


def limited(statement: Statement) -> bool:
    """Whether it holds only for accounts or resources that it names."""
    return any(operator in EQUAL and key in LIMITS and all(map(_bound, values)) for operator, key, values in conditions(statement))


def _bound(value: str) -> bool:
    """Whether a value names an account or a resource, and not all of them."""
    account = value.split(":")[4] if value.count(":") > 4 else value  # noqa: PLR2004  the fifth part of an ARN
    return value != "*" and account != "*"


def named(statement: Statement) -> str:
    """How a message names it."""
    sid, actions = statement.get("Sid"), ", ".join(map(str, listed(statement.get("Action"))))
    return f"statement {sid!r}" if sid else f"the statement on {actions}"


def each(paths: Mapping[str, str], about: Callable[[Statement], Iterator[str]]) -> Check:
    """The check of each statement that allows something, in the document at the path of the resource's type."""

    def check(resource: Resource, _stack: Stack) -> Iterator[str]:
        for statement in statements(resource, paths[resource.kind]):
            if allows(statement):
                for line in about(statement):
                    yield f"{named(statement)}: {line}"

    return check
