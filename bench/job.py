"""What callers are to send, and what came of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from bench.errors import BenchError
from bench.process import ROOT

CHAT = "/v1/chat/completions"
NUMBER = "{number}"
"""Stands in a body for what makes each request a different one."""


@dataclass(frozen=True)
class Job:
    """At most so many requests, for at most so long."""

    port: int
    body: str
    path: str = CHAT
    headers: Mapping[str, str] = field(default_factory=dict)
    connections: int = 32
    requests: int = 1000
    seconds: float = 10
    per_s: float = 0
    """How many are sent a second (0: each as soon as the one before it is answered)."""
    session: int = 0
    """The session whose processes' CPU time is read right before and after."""
    first_number: int = 0

    def run(self, pinned: list[str]) -> Result:
        """Send it, from a process of its own.

        Raises:
            BenchError: not every request was answered with 200.
        """
        command = [*pinned, sys.executable, "-m", "bench.load"]
        done = subprocess.run(command, input=json.dumps(asdict(self)), stdout=subprocess.PIPE, text=True, cwd=ROOT, check=False)
        if done.returncode:
            raise BenchError(f"the load on port {self.port} broke off: the lines above say why")
        result = Result(**json.loads(done.stdout))
        if result.errors or not result.requests:
            kind = "streams" if '"stream": true' in self.body else "requests"
            raise BenchError(f"{result.errors} {kind} failed and {result.requests} were answered; the first said: {result.failure}")
        return result


@dataclass(frozen=True)
class Result:
    requests: int
    errors: int
    seconds: float
    cpu_s: float
    chunks: int
    hits: int
    """Answers that say that they came out of a cache."""
    p50_ms: float
    p99_ms: float
    failure: str
    """The beginning of the first answer that was none of 200."""
    first_p50_ms: float
    """Time to the first event of a stream."""

    @property
    def requests_per_s(self) -> float:
        return self.requests / self.seconds

    @property
    def chunks_per_s(self) -> float:
        return self.chunks / self.seconds

    @property
    def cpu_us(self) -> float:
        """CPU time of a request."""
        return self.cpu_s / self.requests * 1e6

    @property
    def core_share(self) -> float:
        """How busy the server's core was: at 1 it is the server that sets the pace, below it the load."""
        return self.cpu_s / self.seconds
