"""How one resource type is made in the emulated AWS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Inputs = dict[str, Any]
Call = Callable[..., Any]
"""One call of the row's service, as `call(operation, **arguments)`; arguments are matched to its parameters whatever their case."""


@dataclass(frozen=True)
class Row:
    """How one resource type is made in AWS, by operations of a boto3 client. Expressions are JMESPath over an operation's answer."""

    service: str
    create: str
    id: str
    """An expression over the answer of `create`, or `=a,b` for inputs joined by a slash."""
    key: str = ""
    """The parameter that names the resource in `read`, `update` and `delete`."""
    read: str = ""
    """The operation that describes it; without one it is taken to be there."""
    found: str = "@"
    """The description in the answer of `read`; nothing there means that it is gone."""
    update: str = ""
    """The operation that changes it in place."""
    delete: str = ""
    """Without one it goes with what it belongs to."""
    delete_with: tuple[str, ...] = ()
    """What `delete` is given beside `key` and the parameters that it requires."""
    mutable: tuple[str, ...] = ()
    """Inputs that change in place. Any other change replaces the resource; tags always change in place."""
    named: int = 0
    """Longest name that AWS takes; above 0 a name is made where the program gives none."""
    tagged: bool = True
    """Whether it takes tags."""
    prepare: Callable[[Inputs], Inputs] = dict
    """The inputs in the form that the operations' parameters have."""
    fresh: Callable[[Call, str, Inputs], None] = lambda _call, _id, _inputs: None
    """Further calls after a creation."""
    after: Callable[[Call, str, Inputs], None] = lambda _call, _id, _inputs: None
    """Further calls after a creation or a change in place."""
    before_delete: Callable[[Call, str, Inputs], None] = lambda _call, _id, _inputs: None
    """Calls before a deletion."""
    outputs: dict[str, str] = field(default_factory=dict)
    """Outputs as expressions over the description, beside those that have the same name there."""


def renamed(**names: str) -> Callable[[Inputs], Inputs]:
    """A `prepare` that adds inputs under the names that AWS has for them."""
    return lambda inputs: inputs | {aws: inputs[ours] for ours, aws in names.items() if ours in inputs}
