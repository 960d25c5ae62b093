"""What a request's body says, checked and counted: once for a body that comes again and again."""

from __future__ import annotations

import hashlib
from typing import Any

from app.json_bytes import canonical, encode
from app.kind import Kind
from app.kind_body import parse
from app.model import Model
from app.redact import redact_request
from app.usage import Usage

MOST, MOST_BYTES = 128, 4096
"""Bodies of one endpoint that are remembered, and how long each may be: some 13 MB at the very most, whatever stands in them."""


class Reading:
    """A body that may go out, and what was found in it. Others may have the same one: nobody changes anything in it."""

    __slots__ = ("_digests", "_kind", "_outputs", "_tail", "_tokens", "_usage", "body", "came", "request")

    def __init__(self, kind: Kind, came: bytes, body: bytes, request: dict[str, Any]) -> None:
        self._kind = kind
        self.came = came
        """The body as it came, before anything was taken out of it."""
        self.body = body
        self.request = request
        self._tokens: dict[str, int] = {}
        self._outputs: dict[tuple[str, int, int], int] = {}
        self._digests: dict[str, str] = {}
        self._tail = b""
        self._usage: Usage | None = None

    def prompt_tokens(self, model: Model) -> int:
        found = self._tokens.get(model.name)
        if found is None:
            found = self._tokens[model.name] = self._kind.prompt_tokens(self.request, model)
        return found

    def output_tokens(self, model: Model, default: int, maximum: int) -> int:
        """As `Kind.output_tokens`."""
        key = (model.name, default, maximum)
        found = self._outputs.get(key)
        if found is None:
            found = self._outputs[key] = self._kind.output_tokens(self.request, model, default, maximum)
        return found

    def usage(self, answer: bytes) -> Usage | None:
        """What a kept answer says that it used; it mostly is the one that was there the last time."""
        tail = answer[-self._kind.tail_bytes :]
        if tail != self._tail:
            self._tail, self._usage = tail, self._kind.usage(tail)
        return self._usage

    def digest(self, model: Model) -> str:
        """What makes two requests the same: neither the order of members nor white space, and the model that answers."""
        found = self._digests.get(model.name)
        if found is None:
            text = b"%b %b %b" % (self._kind.path.encode(), model.name.encode(), canonical(self.request))
            found = self._digests[model.name] = hashlib.sha256(text).hexdigest()
        return found


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
