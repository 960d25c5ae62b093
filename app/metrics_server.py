"""`/metrics` for Prometheus, on a port of its own that the balancer does not know: a page of totals, and nothing else of HTTP.

Every worker process has totals of its own. Each takes the first free port from the configured one on, so that the workers of a task stand
on as many consecutive ports, and one that is started anew takes the port of the one that has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import Callable
from http import HTTPStatus

from app import log
from app.prometheus import CONTENT_TYPE

READ_S = 5
MAX_HEAD_BYTES = 8192


class MetricsServer:
    """Serves what `render` returns; without a free port the gateway runs on, and the log says so."""

    def __init__(self, render: Callable[[], str], host: str, port: int, workers: int = 1) -> None:
        self.port = 0
        """Where it listens; 0 as long as it does not."""
        self._render = render
        self._host = host
        self._ports = range(port, port + workers) if port else (0,)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        for port in self._ports:
            try:
                self._server = await asyncio.start_server(self._serve, self._host, port, limit=MAX_HEAD_BYTES)
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    continue
                log.error(
                    "metrics_unavailable", port=port, reason=error.strerror, fix="set GATEWAY_METRICS_PORT to a port that may be used"
                )
                return
            self.port = self._server.sockets[0].getsockname()[1]
            log.info("metrics_listening", host=self._host, port=self.port)
            return
        fix = "set GATEWAY_METRICS_PORT to the first of as many free ports as there are workers"
        log.error("metrics_unavailable", port=self._ports[0], reason="in use", fix=fix)

    async def close(self) -> None:
        if self._server:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(READ_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head.split(b"\r\n", 1)[0].split(b" ")))
                await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            writer.transport.abort()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _answer(self, request_line: list[bytes]) -> bytes:
        method, target = request_line[0], request_line[1] if len(request_line) > 1 else b""
        status = HTTPStatus.OK
        if target.split(b"?", 1)[0] != b"/metrics":
            status = HTTPStatus.NOT_FOUND
        elif method not in {b"GET", b"HEAD"}:
            status = HTTPStatus.METHOD_NOT_ALLOWED
        text = self._render() if status is HTTPStatus.OK else f"{status.phrase}: there is GET /metrics.\n"
        body = text.encode()
        lines = (
            f"HTTP/1.1 {status.value} {status.phrase}",
            f"content-type: {CONTENT_TYPE if status is HTTPStatus.OK else 'text/plain; charset=utf-8'}",
            f"content-length: {len(body)}",
            *(("allow: GET, HEAD",) if status is HTTPStatus.METHOD_NOT_ALLOWED else ()),
            "connection: close",
        )
        head = "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"
        return head if method == b"HEAD" else head + body
