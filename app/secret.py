"""A secret's value: read from where it lives, kept for a while, read again when it was refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from app import log
from app.errors import UnavailableError

if TYPE_CHECKING:
    from app.aws import Version

RETRY_S = 1.0
"""Shortest time between two reads after one that failed."""
RENEW_S = 3.0
"""Shortest time between two reads that a refused value asked for."""

Value = TypeVar("Value")


class SecretError(ValueError):
    """A secret's text cannot be used; the message says what is wrong and how to fix it, without the text."""


class Source(NamedTuple):
    """Where a secret's text comes from: Secrets Manager if it is named there, else a setting's own text."""

    secret_id: str
    text: str
    variable: str

    def fix(self) -> str:
        """What the operator does about a secret that cannot be used."""
        if self.secret_id:
            return f"Put the right value into the secret {self.secret_id}, and let the task's role read and decrypt it."
        return f"Set {self.variable}, or name a secret in the settings."


class Secret(Generic[Value]):
    """One secret: parsed, read by one task at a time, and kept while AWS cannot be reached.

    Past its time to live a value is still used while it is read again, and from twice that age on the request waits for the new one: a
    revoked key is out after two times to live at the latest. While AWS is unreachable no request waits for it.
    """

    def __init__(self, name: str, source: Source, parse: Callable[[str], Value], ttl_s: float) -> None:
        self.name = name
        self.problem: str | None = None
        """What keeps the secret from being read, and how to fix it; None after a successful read."""
        self._parse = parse
        self._ttl_s = ttl_s
        self._source = source
        self._value: Value | None = None
        self._created_s: float | None = None
        self._read_at = float("-inf")
        self._tried_at = float("-inf")
        self._reader: Callable[[], Version] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._previous: Value | None = None
        self._previous_at = float("-inf")
        self._looking_back: asyncio.Task[None] | None = None

    async def get(self) -> Value:
        """The value.

        Raises:
            UnavailableError: it was never read and cannot be read now.
        """
        age_s = time.monotonic() - self._read_at
        if age_s > self._ttl_s and self._may_read(RETRY_S):
            reading = self._read()
            if self._value is None or (age_s > 2 * self._ttl_s and not self.problem):
                await asyncio.shield(reading)
        if self._value is None:
            raise UnavailableError("The gateway is not ready: its operator finds the reason at /readyz.", code="not_ready")
        return self._value

    async def renew(self, refused: Value) -> Value:
        """The value after `refused` did not work: read again, but not more often than every few seconds."""
        if self._value == refused and self._may_read(RENEW_S):
            self._read()
        if self._value == refused and self._reading:
            await asyncio.shield(self._reading)
        return refused if self._value is None else self._value

    async def previous(self) -> Value | None:
        """The value before the present one, in case that one does not work (yet): read as seldom as `renew` does; None if there is none."""
        if self._source.secret_id and self._looking_back is None and time.monotonic() - self._previous_at >= RENEW_S:
            self._looking_back = asyncio.create_task(self._look_back())
        if self._looking_back:
            await asyncio.shield(self._looking_back)
        return self._previous

    def age_s(self) -> float | None:
        """How long ago the value was put into Secrets Manager: the same in every process. None outside AWS, or if it was never read."""
        return None if self._created_s is None else time.time() - self._created_s

    def close(self) -> None:
        for task in (self._reading, self._looking_back):
            if task:
                task.cancel()

    def _may_read(self, pause_s: float) -> bool:
        return self._reading is not None or time.monotonic() - self._tried_at >= pause_s

    def _read(self) -> asyncio.Task[None]:
        if self._reading is None:
            self._reading = asyncio.create_task(self._load())
        return self._reading

    async def _load(self) -> None:
        self._tried_at = time.monotonic()
        problem = None
        try:
            version = await asyncio.to_thread(self._fetch) if self._source.secret_id else None
            self._value = self._parse(version.text if version else self._source.text)
            self._created_s = version.created_s if version else None
            self._read_at = time.monotonic()
        except SecretError as failure:
            problem = f"{failure} {self._source.fix()}"
        except Exception as failure:  # noqa: BLE001  whatever AWS, boto3 or the network come up with: the old value stays
            problem = f"It cannot be read from Secrets Manager ({_aws().reason(failure)}). {self._source.fix()}"
        finally:
            self._reading = None
        if problem != self.problem:
            self.problem = problem
            if problem:
                log.error("secret_unusable", secret=self.name, problem=problem, stale_value_used=self._value is not None)
            else:
                log.info("secret_recovered", secret=self.name)

    async def _look_back(self) -> None:
        try:
            self._previous = self._parse(await asyncio.to_thread(_previous_text, self._source.secret_id))
        except Exception:  # noqa: BLE001  as in `_load`; that there is none is the usual case
            self._previous = None
        finally:
            self._previous_at = time.monotonic()
            self._looking_back = None

    def _fetch(self) -> Version:
        if self._reader is None:
            self._reader = _aws().secret_reader(self._source.secret_id)
        return self._reader()


def openai_key(text: str) -> str:
    """The OpenAI key out of a secret's text.

    Raises:
        SecretError: there is none.
    """
    key = text.strip()
    if not key:
        raise SecretError("The OpenAI key is empty.")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise SecretError("The OpenAI key's secret holds something that is no key: it must be the key alone, as plain text.")
    return key


def _previous_text(secret_id: str) -> str:
    """The secret's text before its present one."""
    return str(_aws().secret_reader(secret_id, "AWSPREVIOUS")().text)


def _aws() -> Any:
    return import_module("app.aws")
