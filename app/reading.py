"""What a request's body says, checked and counted: once for a body that comes again and again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

from app.json_bytes import canonical, encode
from app.kind import Kind
from app.kind_body import parse
from app.model import Model
from app.redact import redact_request
from app.usage import Usage

MOST, MOST_BYTES = 128, 4096
"""Bodies of one endpoint that are remembered, and how long each may be: some 15 MB at the very most, whatever stands in them."""
T = TypeVar("T")


class Reading:
    """A body that may go out, and what was found in it. Others may have the same one: nobody changes anything in it."""

    __slots__ = ("_found", "_kind", "_tail", "_usage", "body", "came", "request")

    def __init__(self, kind: Kind, came: bytes, body: bytes, request: dict[str, Any]) -> None:
        self._kind = kind
        self.came = came
        """The body as it came, before anything was taken out of it."""
        self.body = body
        self.request = request
        self._found: dict[tuple[Any, ...], Any] = {}
        self._tail = b""
        self._usage: Usage | None = None

    def prompt_tokens(self, model: Model) -> int:
        """As `Kind.prompt_tokens`."""
        return self._once(("prompt", model.name), lambda: self._kind.prompt_tokens(self.request, model))

    def output_tokens(self, model: Model, default: int, maximum: int) -> int:
        """As `Kind.output_tokens`."""
        key = ("output", model.name, default, maximum)
        return self._once(key, lambda: self._kind.output_tokens(self.request, model, default, maximum))

    def digest(self, model: Model) -> str:
        """What makes two requests the same: neither the order of members nor white space, and the model that answers."""
        return self._once(("digest", model.name), lambda: self._digest(model))

    def usage(self, answer: bytes) -> Usage | None:
        """What a kept answer says that it used; it mostly is the one that was there the last time."""
        tail = answer[-self._kind.tail_bytes :]
        if tail != self._tail:
            self._tail, self._usage = tail, self._kind.usage(tail)
        return self._usage

    def _once(self, key: tuple[Any, ...], find: Callable[[], T]) -> T:
        found: T | None = self._found.get(key)
        if found is None:
            found = self._found[key] = find()
        return found

    def _digest(self, model: Model) -> str:
        text = b"%b %b %b" % (self._kind.path.encode(), model.name.encode(), canonical(self.request))
        return hashlib.sha256(text).hexdigest()


class Reader:
    """Reads the bodies of one endpoint.

    A body whose answer came out of the cache will come again: it is remembered, in this process's memory alone. One that must not be stored
    is never answered from there.
    """

    def __init__(self, kind: Kind, *, redacts: bool) -> None:
        self._kind = kind
        self._redacts = redacts
        self._known: dict[bytes, Reading] = {}

    def read(self, body: bytes) -> Reading:
        """The body's reading.

        Raises:
            InvalidRequestError: it is no request of this kind; the message names what is wrong.
        """
        return self._known.get(body) or self._read(body)

    def remember(self, reading: Reading) -> None:
        """Do not read its body again."""
        if len(reading.came) <= MOST_BYTES:
            self._known[reading.came] = reading
            if len(self._known) > MOST:
                del self._known[next(iter(self._known))]

    def _read(self, came: bytes) -> Reading:
        request, body = parse(came), came
        self._kind.check(request)
        if self._redacts and (redacted := redact_request(request)) is not request:
            request, body = redacted, encode(redacted)
        return Reading(self._kind, came, body, request)
