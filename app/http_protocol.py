"""The server's side of a connection, as uvicorn has it, but for one thing: an answer's head leaves together with what follows it."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_HEAD, _END = b"HTTP/1.1 ", b"\r\n\r\n"
_GO_ON = b"HTTP/1.1 100 "


class Joining:
    """A transport that keeps a head back until the body's first bytes, which uvicorn writes right after it: one system call, not two."""

    __slots__ = ("_head", "_transport", "is_closing")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self.is_closing = transport.is_closing  # asked for each answer, and found faster here than below

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.writelines((head, data) if data else (head,))
        elif data.startswith(_HEAD) and data.endswith(_END) and not data.startswith(_GO_ON):
            self._head = data
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Let a head go that nothing follows, as of an answer to HEAD."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        self.flush()
        self._transport.close()


class Protocol(HttpToolsProtocol):
    """Give it to uvicorn as `http`."""

    _joining: Joining

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._joining = Joining(transport)
        super().connection_made(self._joining)  # type: ignore[arg-type]  # it is one in all that uvicorn asks of it

    def on_response_complete(self) -> None:
        self._joining.flush()
        super().on_response_complete()
