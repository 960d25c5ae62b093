"""`make local`: the stage `local`, deployed into an emulated AWS and running on this machine, from its servers to its tasks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.clients import new_key
from sandbox.aws import CREDENTIALS, Aws
from sandbox.aws_server import AwsServer
from sandbox.balancer import Balancer
from sandbox.balancer_settings import read_settings
from sandbox.deploy import IN_PROCESS, engine_is_there, events
from sandbox.errors import SandboxError
from sandbox.openai_server import OpenAIServer
from sandbox.resources import OPENAI_KEY
from sandbox.scheduler import Scheduler, Task
from sandbox.service import read_service
from sandbox.valkey_server import ValkeyServer

STAGE = "local"
CLIENT = "local"
ORGANIZATION, PROJECT = "org-local", "proj_local"
"""What the stand-in bills to, and nothing else."""
STOP_AT_MOST_S = 5
HEALTHY_WITHIN_S = 60
INSTALL = "without the pulumi CLI on PATH the program runs under the SDK alone; to use the engine: https://www.pulumi.com/docs/install/"


class Local:
    """Everything that `make local` runs. As a context: up on entering, and nothing left on leaving, however that happens."""

    def __init__(  # noqa: PLR0913  each is given by name
        self,
        console: Console,
        *,
        port: int = 0,
        tasks: int | None = None,
        real_openai: bool = False,
        in_process: bool = False,
        on_line: Callable[[Task, str], None] | None = None,
    ) -> None:
        self._console, self._port, self._count, self._on_line = console, port, tasks, on_line
        self._openai_key = os.environ.get("OPENAI_API_KEY", "") if real_openai else new_key()[0]
        if not self._openai_key:
            raise SandboxError("--real-openai calls OpenAI with your key: put it into the variable OPENAI_API_KEY first")
        self._real_openai = real_openai
        self.engine = "" if engine_is_there() and not in_process else IN_PROCESS
        self.client_key, self._digest = new_key()
        self.aws, self.valkey, self.openai = (
            AwsServer(),
            ValkeyServer(),
            OpenAIServer({self._openai_key}, organization=ORGANIZATION, project=PROJECT),
        )
        self.resources: list[dict[str, str]] = []
        self.outputs: dict[str, Any] = {}
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._up()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._stack.aclose()

    async def _up(self) -> None:
        began = time.monotonic()
        _refuse_taken(self._port)
        with self._console.status("starting AWS (moto), Valkey and OpenAI (stand-in)…") as status:
            for server in (self.aws, self.valkey, self.openai):
                self._stack.push_async_callback(server.stop)
            await asyncio.gather(self.aws.start(), self.valkey.start(), self.openai.start())
            self._done("servers", "AWS (moto), Valkey and OpenAI (a stand-in) are ready", began)
            await self._deploy(status.update)
            self._done("deploy", f"{len(self.resources)} resources of the stage {STAGE}, {self.engine}", began)
            status.update("starting the tasks that were deployed…")
            await self._run_tasks()
            self._done("tasks", f"{len(self.scheduler.tasks)} healthy behind the balancer", began)

    def _done(self, what: str, text: str, began: float) -> None:
        self._console.print(f"[green]✓[/] {what:<8} {escape(text)} [dim]({time.monotonic() - began:.1f} s)[/]", highlight=False)

    async def _deploy(self, progress: Callable[[str], None]) -> None:
        stand_in = {"openaiBaseUrl": self.openai.url, "openaiOrganization": ORGANIZATION, "openaiProject": PROJECT}
        overrides = {} if self._real_openai else stand_in
        variables = {"AWS_ENDPOINT_URL": self.aws.url, OPENAI_KEY: self._openai_key, **CREDENTIALS}
        module = "sandbox.program" if self.engine else "sandbox.engine"
        async for event in events(module, STAGE, overrides, variables):
            self.engine = event.get("engine", self.engine)
            self.outputs = event.get("outputs", self.outputs)
            resource = event.get("resource", {})
            if resource.get("how") in ("created", "recorded"):
                self.resources.append({key: resource[key] for key in ("type", "name", "how")})
                progress(f"deploying: {len(self.resources)} resources, {resource['name']}")

    async def _run_tasks(self) -> None:
        region = Aws(self.aws.url, self.outputs["region"])
        callers = {CLIENT: {"key_sha256": [self._digest]}}
        region.call("secretsmanager", "put_secret_value", secretId=self.outputs["clientsSecretArn"], secretString=json.dumps(callers))
        service = read_service(region.client, self.outputs["cluster"], self.outputs["service"])
        self.substitutions = {"GATEWAY_CACHE_URL": self.valkey.url, "GATEWAY_CACHE_IAM_CLUSTER": ""}
        self.replaced = {name: service.environment[name] for name in self.substitutions}
        self.balancer = Balancer(read_settings(region.client("elbv2"), self.outputs["loadBalancerArn"]))
        await self.balancer.start(self._port)
        self._stack.push_async_callback(self.balancer.stop)
        self.scheduler = Scheduler(service, region.client, balancer=self.balancer, substitutions=self.substitutions, on_line=self._on_line)
        self._stack.push_async_callback(self.scheduler.stop, STOP_AT_MOST_S)
        await self.scheduler.start(self._count)
        await self.balancer.wait_healthy(self._count or service.count, HEALTHY_WITHIN_S)

    def description(self) -> dict[str, Any]:
        """What runs where, for programs: the content of `--describe`."""
        return {
            "url": self.balancer.url,
            "client_key": self.client_key,
            "region": self.outputs["region"],
            "aws_endpoint": self.aws.url,
            "openai_endpoint": self.scheduler.service.environment["OPENAI_BASE_URL"],
            "valkey_url": self.valkey.url,
            "engine": self.engine,
            "resources": [{"type": item["type"], "name": item["name"], "state": item["how"]} for item in self.resources],
            "outputs": self.outputs,
            "substitutions": self.replaced,
            "tasks": [{"id": task.id, "pid": task.pid, "url": task.url} for task in self.scheduler.tasks],
        }


def summary(local: Local) -> Table:
    """What a person wants to know once it runs."""
    found = local.description()
    created = sum(item["state"] == "created" for item in found["resources"])
    table = Table.grid(padding=(0, 2))
    table.add_row("[bold]gateway[/]", f"{found['url']}/v1", style="green")
    table.add_row("[bold]chat page[/]", f"{found['url']}/")
    table.add_row("[bold]client key[/]", found["client_key"])
    table.add_row("AWS", f"{found['aws_endpoint']}  as in: aws --endpoint-url {found['aws_endpoint']} ecs list-clusters")
    table.add_row("OpenAI", f"{found['openai_endpoint']}")
    table.add_row("program run", found["engine"])
    table.add_row(
        "resources", f"{created} created in the emulated AWS, {len(found['resources']) - created} only recorded (moto has no ElastiCache)"
    )
    table.add_row("substituted", f"{' and '.join(found['substitutions'])}: the tasks use {found['valkey_url']}")
    for task in found["tasks"]:
        table.add_row("task", f"{task['url']}  pid {task['pid']}")
    return table


def curl(local: Local) -> str:
    """A line that asks the gateway something."""
    model = local.scheduler.service.environment["GATEWAY_MODELS"].split(",")[0]
    body = {"model": model, "messages": [{"role": "user", "content": "Hello!"}]}
    return f"curl {local.balancer.url}/v1/chat/completions -H 'Authorization: Bearer {local.client_key}' -d '{json.dumps(body)}'"


def _refuse_taken(port: int) -> None:
    """Say at once that a port is in use, and not after the deployment."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise SandboxError(f"port {port} is in use: end what listens there, or choose another one with --port") from None


def _write(path: Path, text: str) -> None:
    """Write a file so that whoever waits for it sees all of it or nothing; it holds a key, so it is the user's alone."""
    draft = path.with_name(f".{path.name}.draft")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)


async def serve(console: Console, options: Namespace) -> int:
    """Run until Ctrl-C or SIGTERM, or until the tasks fail for good; the exit code."""
    loop, main = asyncio.get_running_loop(), asyncio.current_task()
    asked = asyncio.Event()

    def ask() -> None:
        if not asked.is_set() and main is not None:  # a second Ctrl-C does not disturb the taking down
            asked.set()
            main.cancel()

    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, ask)
    local = Local(
        console, port=options.port, tasks=options.tasks, real_openai=options.real_openai, in_process=options.in_process,
        on_line=lambda task, line: console.print(f"[dim]{task.id[:8]} {escape(line)}[/]", highlight=False, soft_wrap=True),
    )  # fmt: skip
    if local.engine:
        console.print(f"[yellow]note[/]  {INSTALL}", highlight=False, soft_wrap=True)
    try:
        async with local:
            console.print(summary(local), soft_wrap=True)
            console.print(f"\n{escape(curl(local))}\n\nCtrl-C takes all of it down.", highlight=False, soft_wrap=True)
            if options.describe:
                _write(options.describe, json.dumps(local.description(), indent=1))
            await local.scheduler.wait()
            console.print("taking everything down…")
    except asyncio.CancelledError:
        if not asked.is_set():
            raise
        console.print("everything is down")
    return 0
