"""Waivers: which resource may break which policy, why, and until when."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("waivers.toml")
KEYS = {"policy": str, "resource": str, "found": str, "stages": list, "reason": str, "expires": date}
ALLOWED = {str: "text", list: "names of stages", date: "a date as 2027-06-30"}


class WaiverError(Exception):
    """The file of waivers cannot be used; the message is a line for each problem."""


@dataclass(frozen=True)
class Waiver:
    """One entry; `resource`, `found` and `stages` are patterns as in a shell."""

    policy: str
    resource: str
    found: str
    """What was found there: anything else on the resource is not allowed."""
    stages: tuple[str, ...]
    reason: str
    expires: date

    def expired(self, today: date) -> bool:
        """Whether it has ended; on its last day it still holds."""
        return today > self.expires

    def covers(self, policy: str, resource: str, found: str, stage: str) -> bool:
        matched = fnmatchcase(resource, self.resource) and fnmatchcase(found, self.found)
        return policy == self.policy and matched and any(fnmatchcase(stage, pattern) for pattern in self.stages)

    @property
    def label(self) -> str:
        return f"the waiver for {self.policy} on {self.resource} in {', '.join(self.stages)}"


def load(text: str | None = None) -> tuple[Waiver, ...]:
    """The waivers of the file.

    Raises:
        WaiverError: an entry lacks something, or says something that is no part of a waiver.
    """
    try:
        entries = tomllib.loads(FILE.read_text() if text is None else text).get("waiver", [])
    except tomllib.TOMLDecodeError as error:
        raise WaiverError(f"{FILE.name} is no valid TOML: {error}") from None
    if problems := [problem for number, entry in enumerate(entries, start=1) for problem in _problems(number, entry)]:
        raise WaiverError("\n".join(problems))
    return tuple(Waiver(**entry | {"stages": tuple(map(str, entry["stages"]))}) for entry in entries)


def _problems(number: int, entry: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted(entry.keys() - KEYS.keys()):
        yield f"{FILE.name}, waiver {number}: there is no {key!r}; allowed: {', '.join(KEYS)}"
    for key, kind in KEYS.items():
        value = entry.get(key)
        if type(value) is not kind or not value or not str(value).strip():
            yield f"{FILE.name}, waiver {number}: {key} = {value!r}; allowed: {ALLOWED[kind]}"


def stale(waivers: Collection[Waiver], policies: Collection[str], today: date) -> Iterator[str]:
    """What is wrong with the waivers by themselves: they have ended, or are about a policy that is none."""
    for waiver in waivers:
        if waiver.policy not in policies:
            yield f"{waiver.label}: there is no policy {waiver.policy!r}"
        if waiver.expired(today):
            yield f"{waiver.label}: expired on {waiver.expires}; mend what it is about, or argue for it anew"
