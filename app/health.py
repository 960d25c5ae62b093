"""Whether the process lives, and whether it should get requests."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.drain import Drain
from app.errors import UnavailableError
from app.secret import Secret

ANSWER_S = 3.0
"""Longest time that a first read of a secret may hold up the answer: balancers give up after a few seconds."""


class Health:
    """`/healthz` is alive as long as it answers; `/readyz` says what is missing and how to fix it.

    Valkey is no part of it, as the gateway answers without; but its first attempt to reach it must be over, since budgets in dollars are
    closed until then.
    """

    def __init__(self, drain: Drain, secrets: list[Secret[Any]], tried: asyncio.Event | None = None) -> None:
        """`tried` is set after the first attempt to reach Valkey; None: there is no Valkey."""
        self._drain = drain
        self._secrets = secrets
        self._tried = tried

    async def alive(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(self, _request: Request) -> Response:
        if self._drain.draining:
            return _not_ready({"drain": "The process was told to stop and finishes what it has begun. Nothing is to be fixed."})
        if self._tried and not self._tried.is_set():
            return _not_ready({"valkey": "The first connection is being made. Nothing is to be fixed."})
        problems = await asyncio.gather(*map(_problem, self._secrets))
        failed = {secret.name: problem for secret, problem in zip(self._secrets, problems, strict=True) if problem}
        return _not_ready(failed) if failed else JSONResponse({"status": "ready"})


async def _problem(secret: Secret[Any]) -> str | None:
    """Why the secret cannot be used; a value that has gone stale while AWS is away can be."""
    try:
        async with asyncio.timeout(ANSWER_S):
            await secret.get()
    except TimeoutError:
        return "AWS Secrets Manager does not answer. Check the network's way to it and the task's role."
    except UnavailableError:
        return secret.problem
    return None


def _not_ready(checks: dict[str, str]) -> Response:
    message = " ".join(f"{name}: {problem}" for name, problem in checks.items())
    error = {"message": message, "type": UnavailableError.kind, "param": None, "code": "not_ready"}
    return JSONResponse({"status": "not ready", "checks": checks, "error": error}, UnavailableError.status)
