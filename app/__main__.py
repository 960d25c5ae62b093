"""`python -m app`: the gateway from environment variables alone."""

from __future__ import annotations

import signal
import socket
import sys
from contextlib import suppress

from app import log
from app.drain import ACCEPT_SHARE
from app.settings import Settings, SettingsError

USAGE = 2
BACKLOG = 2048


def main() -> int:
    """Listen, serve until SIGTERM, and leave with 0 when the last request has ended."""
    try:
        settings = Settings.load()
    except SettingsError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)  # noqa: T201  for a person at a terminal
        return USAGE
    log.configure(settings.stage)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        listener = listen(settings.host, settings.port)
    except OSError as error:
        print(f"GATEWAY_PORT: cannot listen on {settings.host}:{settings.port}: {error.strerror}", file=sys.stderr)  # noqa: T201  as above
        return USAGE
    host, port = listener.getsockname()[:2]
    log.info("listening", host=host, port=port)
    with suppress(KeyboardInterrupt):
        return serve(settings, listener)
    return 0


def listen(host: str, port: int) -> socket.socket:
    """A listening socket: whoever connects from now on is served as soon as the workers are there.

    Its connections inherit TCP_NODELAY, which the event loop does not set on those of a socket that it did not make itself: without it an
    answer's body waits 40 ms for the acknowledgement of its head.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setblocking(False)
    listener.set_inheritable(True)
    return listener


def serve(settings: Settings, listener: socket.socket) -> int:
    import uvicorn  # noqa: PLC0415  the socket listens before this tenth of a second
    from uvicorn.config import STARTUP_FAILURE  # noqa: PLC0415
    from uvicorn.supervisors import Multiprocess  # noqa: PLC0415

    from app.http_protocol import Protocol  # noqa: PLC0415

    config = uvicorn.Config(
        "app.asgi:create_app",
        factory=True,
        workers=settings.workers,
        loop="uvloop",
        http=Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=settings.keep_alive_s,
        timeout_graceful_shutdown=int(settings.drain_s * (1 - ACCEPT_SHARE)),
    )
    if settings.workers > 1:
        supervisor = Multiprocess(config, sockets=[listener])
        supervisor.run()
        return int(any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes))
    server = uvicorn.Server(config)
    server.run(sockets=[listener])
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
