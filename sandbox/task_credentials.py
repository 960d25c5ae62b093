"""ECS's endpoint for the credentials of a task's role: the real mechanism, which every AWS SDK understands."""

from __future__ import annotations

import asyncio
import secrets

from aiohttp import web

from sandbox.service import Clients


class TaskCredentials:
    """Serves temporary credentials of a role; each task has a token of its own, as long as it runs."""

    def __init__(self, clients: Clients, role: str) -> None:
        self._clients, self._role = clients, role
        self._tasks: dict[str, str] = {}
        self._runner: web.AppRunner | None = None
        self._url = ""

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/credentials", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/credentials"

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    def admit(self, task_id: str) -> dict[str, str]:
        """The variables by which a task finds its credentials."""
        token = secrets.token_urlsafe()
        self._tasks[token] = task_id
        return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": self._url, "AWS_CONTAINER_AUTHORIZATION_TOKEN": token}

    def dismiss(self, task_id: str) -> None:
        """Give the task no more credentials."""
        self._tasks = {token: owner for token, owner in self._tasks.items() if owner != task_id}

    async def _answer(self, request: web.Request) -> web.Response:
        task_id = self._tasks.get(request.headers.get("Authorization", ""))
        if not task_id or not self._role:
            return web.json_response({"code": "AccessDenied", "message": "No task role for this token"}, status=403)
        given = await asyncio.to_thread(self._clients("sts").assume_role, RoleArn=self._role, RoleSessionName=task_id)
        found = given["Credentials"]
        return web.json_response(
            {
                "RoleArn": self._role,
                "AccessKeyId": found["AccessKeyId"],
                "SecretAccessKey": found["SecretAccessKey"],
                "Token": found["SessionToken"],
                "Expiration": found["Expiration"].isoformat(),
            }
        )
