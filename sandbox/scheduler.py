"""Plays ECS for one service: its tasks are processes here, with the environment and the role of the deployed task definition."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.balancer import Balancer
from sandbox.errors import SandboxError
from sandbox.keeper import Keeper
from sandbox.service import Clients, Service
from sandbox.task_credentials import TaskCredentials

ROOT = Path(__file__).resolve().parent.parent
FAILURES_ALLOWED = 3
KEPT_LINES, SHOWN_LINES, LONGEST_LINE = 200, 20, 2**20
MAX_BACKOFF_S = 60
SECRET_ARN_PARTS = 7

"""Gives the boto3 client of a service by its name, as `boto3.Session.client` does."""


@dataclass
class Task:
    id: str
    process: asyncio.subprocess.Process
    state: str = "starting"  # then running, stopping, stopped
    url: str = ""
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    listening: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def exit_code(self) -> int | None:
        return self.process.returncode


class Scheduler:
    """Keeps the tasks of a service running and registered with the balancer.

    `substitutions` replace variables of the deployed environment, by name. `on_line` is called with each line that a task prints.
    """

    def __init__(  # noqa: PLR0913  each is given by name
        self,
        service: Service,
        clients: Clients,
        *,
        balancer: Balancer | None = None,
        substitutions: Mapping[str, str] | None = None,
        command: Sequence[str] = (sys.executable, "-m", "app"),
        on_line: Callable[[Task, str], None] | None = None,
        backoff_s: float = 1,
        start_timeout_s: float = 60,
    ) -> None:
        self.service = service
        self.tasks: list[Task] = []
        self._clients = clients
        self._balancer = balancer
        self._substitutions = dict(substitutions or {})
        self._command = command
        self._on_line = on_line
        self._backoff_s = backoff_s
        self._start_timeout_s = start_timeout_s
        self._credentials = TaskCredentials(clients, service.role)
        self._slots: list[asyncio.Task[None]] = []
        self._keeper = Keeper()
        self._folder: Path | None = None
        self._changed = asyncio.Event()
        self._stopping = False

    async def start(self, count: int | None = None) -> None:
        """Start the tasks, all at once, and return when each of them listens.

        Raises:
            SandboxError: a substitution has nothing to replace, a secret cannot be read, or a task fails again and again.
        """
        if unknown := sorted(self._substitutions.keys() - self.service.environment.keys()):
            raise SandboxError(f"Nothing to substitute: the deployed environment has no {', '.join(unknown)}")
        self._folder = Path(tempfile.mkdtemp(prefix="tasks-"))
        await self._keeper.start()
        await self._credentials.start()
        wanted = self.service.count if count is None else count
        self._slots = [asyncio.create_task(self._keep_running()) for _ in range(wanted)]
        for slot in self._slots:
            slot.add_done_callback(lambda _: self._changed.set())
        while sum(task.state == "running" for task in self.tasks) < wanted:
            if any(slot.done() for slot in self._slots):
                await self._fail()
            self._changed.clear()
            await self._changed.wait()

    async def wait(self) -> None:
        """Return when the scheduler is stopped.

        Raises:
            SandboxError: a task failed again and again; all are stopped then.
        """
        if self._slots:
            await asyncio.wait(self._slots, return_when=asyncio.FIRST_COMPLETED)
        if not self._stopping:
            await self._fail()

    async def stop(self, at_most_s: float | None = None) -> None:
        """Stop all tasks as ECS does; `at_most_s` shortens the deregistration delay and the stop timeout."""
        self._stopping = True
        await asyncio.gather(*(self._stop(task, at_most_s) for task in self.tasks))
        for slot in self._slots:
            slot.cancel()
        await asyncio.gather(*self._slots, return_exceptions=True)
        await self._keeper.stop()
        await self._credentials.stop()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    async def stop_task(self, task_id: str) -> None:
        """Stop one task; the service replaces it."""
        for task in [task for task in self.tasks if task.id == task_id]:
            await self._stop(task, None)

    async def _fail(self) -> None:
        errors = [slot.exception() for slot in self._slots if slot.done() and not slot.cancelled()]
        await self.stop(0)
        for error in errors:
            if error:
                raise error

    async def _keep_running(self) -> None:
        """One of the service's tasks: what ends is replaced, later and later, until it has failed too often before being healthy."""
        failures = 0
        while not self._stopping:
            task = await self._launch()
            reader = asyncio.create_task(self._read(task))
            try:
                healthy = await self._live(task)
                asked = task.state == "stopping"
            finally:
                await self._clean_up(task, reader)
            failures = 0 if healthy or asked else failures + 1
            if failures >= FAILURES_ALLOWED:
                shown = "\n".join(list(task.lines)[-SHOWN_LINES:]) or "(it printed nothing)"
                raise SandboxError(f"A task failed {failures} times in a row, last with exit code {task.exit_code}. It said:\n{shown}")
            if not asked:
                await asyncio.sleep(min(self._backoff_s * 2 ** max(failures - 1, 0), MAX_BACKOFF_S))

    async def _live(self, task: Task) -> bool:
        """From the start of a task to its end; whether it was healthy."""
        ended = asyncio.ensure_future(task.process.wait())
        listening = asyncio.ensure_future(task.listening.wait())
        try:
            await asyncio.wait([ended, listening], timeout=self._start_timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if not listening.done():
                if not ended.done():
                    task.lines.append(f"(it did not listen within {self._start_timeout_s:g} s)")
                return False
            if self._balancer:
                await self._balancer.register(task.url)
            if task.state == "starting":
                task.state = "running"
            self._changed.set()
            await ended
            return not self._balancer or any(target.url == task.url and target.was_healthy for target in self._balancer.targets)
        finally:
            ended.cancel()
            listening.cancel()

    async def _clean_up(self, task: Task, reader: asyncio.Task[None]) -> None:
        with suppress(ProcessLookupError):
            task.process.kill()
        self._keeper.forget(task.pid)
        await task.process.wait()
        await reader
        self._credentials.dismiss(task.id)
        if self._balancer and task.url:
            await self._balancer.deregister(task.url, 0)
        task.state = "stopped"
        self.tasks.remove(task)
        task.ended.set()

    async def _stop(self, task: Task, at_most_s: float | None) -> None:
        task.state = "stopping"
        if self._balancer and task.url:
            await self._balancer.deregister(task.url, at_most_s)
        with suppress(ProcessLookupError):
            task.process.send_signal(signal.SIGTERM)
        limit_s = self.service.stop_timeout_s
        with suppress(TimeoutError):
            await asyncio.wait_for(task.ended.wait(), limit_s if at_most_s is None else min(limit_s, at_most_s))
        with suppress(ProcessLookupError):
            task.process.kill()
        await task.ended.wait()

    async def _launch(self) -> Task:
        task_id = uuid.uuid4().hex
        environment = await self._environment(task_id)
        process = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=ROOT,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=LONGEST_LINE,
            start_new_session=True,
        )
        self._keeper.watch(process.pid)
        task = Task(task_id, process)
        self.tasks.append(task)
        return task

    async def _environment(self, task_id: str) -> dict[str, str]:
        """The deployed variables, and what Fargate itself, the host and the task's network interface give."""
        ecs = self._clients("ecs")
        home = Path(str(self._folder)) / task_id
        home.mkdir()
        return {
            **self.service.environment,
            **await asyncio.to_thread(self._read_secrets),
            **self._substitutions,
            "AWS_REGION": ecs.meta.region_name,
            "AWS_DEFAULT_REGION": ecs.meta.region_name,
            "AWS_ENDPOINT_URL": ecs.meta.endpoint_url,
            **self._credentials.admit(task_id),
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(home),
            "TMPDIR": str(home),
            "PYTHONUNBUFFERED": "1",
            "GATEWAY_HOST": "127.0.0.1",
            "GATEWAY_PORT": "0",
            "GATEWAY_METRICS_PORT": "0",
        }

    def _read_secrets(self) -> dict[str, str]:
        values = {}
        for name, arn in self.service.secrets.items():
            parts = arn.split(":")
            key = (parts[SECRET_ARN_PARTS:] or [""])[0]  # ECS may append :json-key:version-stage:version-id
            try:
                text = self._clients("secretsmanager").get_secret_value(SecretId=":".join(parts[:SECRET_ARN_PARTS]))["SecretString"]
                values[name] = json.loads(text)[key] if key else text
            except (BotoCoreError, ClientError, KeyError, ValueError) as error:
                raise SandboxError(f"The secret of the variable {name} cannot be read: {type(error).__name__}") from None
        return values

    async def _read(self, task: Task) -> None:
        while output := task.process.stdout:
            try:
                line = await output.readline()
            except ValueError:  # longer than the limit: it is dropped
                continue
            if not line:
                return
            text = line.decode(errors="replace").rstrip("\n")
            task.lines.append(text)
            if not task.url and '"listening"' in text:
                with suppress(ValueError, KeyError, TypeError):
                    event = json.loads(text)
                    if event["event"] == "listening":
                        task.url = f"http://{event['host']}:{event['port']}"
                        task.listening.set()
            if self._on_line:
                self._on_line(task, text)
