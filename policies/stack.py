"""What policies look at: a stack and its resources, as plain data, whoever gathered it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NoReturn

SECRET = "[secret]"  # noqa: S105  what stands for a secret where the program was run in process


class UnknownValueError(Exception):
    """A value was looked at that only a deployment will tell."""


class Unknown:
    """Stands for such a value: it can be passed on, and cannot be looked at."""

    def __deepcopy__(self, _memo: object) -> Unknown:
        return self

    def _unknown(self, *_arguments: object) -> NoReturn:
        raise UnknownValueError

    __bool__ = __contains__ = __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _unknown
    __getattr__ = __getitem__ = __hash__ = __iter__ = __len__ = _unknown


UNKNOWN = Unknown()


@dataclass(frozen=True)
class Resource:
    """A resource of the stack."""

    kind: str
    """Its type in short: `lb:Listener` for aws:lb/listener:Listener."""
    name: str
    props: Mapping[str, Any]
    provider: Mapping[str, Any] = field(default_factory=dict)
    """The properties of the provider that makes it."""
    protect: bool = False
    links: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By property, the labels of the resources whose outputs it holds: known in a preview too, when the values are not."""
    urn: str = ""
    aws: bool = True

    @property
    def label(self) -> str:
        return f"{self.kind}::{self.name}"

    def get(self, path: str) -> Any:
        """The value at a path as `networkConfiguration.assignPublicIp`, or None.

        Raises:
            UnknownValueError: it, or what it stands in, is not known yet.
        """
        value: Any = self.props
        for key in path.split("."):
            if isinstance(value, Unknown):
                raise UnknownValueError
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def known(self, path: str) -> Any:
        """The same, when it must be known: neither left to the deployment nor hidden as a secret."""
        value = self.get(path)
        if isinstance(value, Unknown) or (isinstance(value, str) and value == SECRET):
            raise UnknownValueError
        return value

    def parsed(self, path: str) -> Any:
        """The JSON at a path, or None.

        Raises:
            UnknownValueError: it is not known.
        """
        text = self.known(path)
        return json.loads(text) if isinstance(text, str) else text


@dataclass(frozen=True)
class Stack:
    """A stage's resources and what its configuration says of it."""

    name: str
    protected: bool
    resources: tuple[Resource, ...] = ()

    @cached_property
    def _by_kind(self) -> dict[str, list[Resource]]:
        found: dict[str, list[Resource]] = {}
        for resource in self.resources:
            found.setdefault(resource.kind, []).append(resource)
        return found

    def all(self, kind: str) -> list[Resource]:
        return self._by_kind.get(kind, [])

    def linked(self, kind: str, path: str, target: Resource) -> list[Resource]:
        """The resources of that type whose property holds something of the target."""
        return [resource for resource in self.all(kind) if target.label in resource.links.get(path, ())]

    def targets(self, resource: Resource, path: str, kind: str) -> list[Resource]:
        """The resources of that type that a property holds something of."""
        return [target for target in self.all(kind) if target.label in resource.links.get(path, ())]


def short(kind: str) -> str:
    """A type in short: service and noun; with its package where that is not AWS's."""
    package, module, noun = kind.split(":")
    return f"{module.split('/')[0]}:{noun}" if package == "aws" else f"{package}:{noun}"


def planned(found: Mapping[str, Any], *, protected: bool) -> Stack:
    """The stack that the program, run in process, has registered: what `python -m sandbox plan --json` prints."""
    resources: list[Mapping[str, Any]] = found["resources"]
    providers = {_label(f"{item['type']}::{item['name']}"): item["inputs"] for item in resources if item["how"] == "provider"}
    made = [_planned(item, providers) for item in resources if item["how"] in ("created", "recorded")]
    outputs = Resource("pulumi:Stack", str(found["stage"]), found["outputs"], aws=False)
    return Stack(str(found["stage"]), protected, (*made, outputs))


def _planned(item: Mapping[str, Any], providers: Mapping[str, Mapping[str, Any]]) -> Resource:
    return Resource(
        kind=short(item["type"]),
        name=item["name"],
        props=item["inputs"],
        provider=providers.get(_label(item["provider"]), {}) if item["provider"] else {},
        protect=item["protect"],
        links={key: frozenset(map(_label, labels)) for key, labels in item["propertyDependencies"].items()},
        aws=item["type"].startswith("aws:"),
    )


def _label(named: str) -> str:
    kind, _, name = named.partition("::")
    return f"{short(kind)}::{name}"


def texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a value, however deep, with the path to it; what is unknown is left out."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from texts(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, Iterable) and not isinstance(value, Unknown):
        for index, item in enumerate(value):
            yield from texts(item, f"{path}[{index}]")
