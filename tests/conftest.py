"""What the tests of several folders share: the local stack, deployed and running, once a session."""

from __future__ import annotations

import contextlib
import hashlib
import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import httpx2
import openai
import pytest
from hypothesis import HealthCheck, settings

from sandbox.aws import CREDENTIALS

ROOT = Path(__file__).resolve().parent.parent
START_S, STOP_S = 90, 60  # only bound a hang
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy one, or a fresh clone
settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several processes, what shares a fixture stays in one: the tests of a file, and all that use the local stack."""
    for item in items:
        shares_the_stack = "local" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("local" if shares_the_stack else item.nodeid.partition("::")[0]))


@dataclass
class Stack:
    """A running `python -m sandbox`, by what it says of itself."""

    process: subprocess.Popen[str]
    described: dict[str, Any]
    printed: Path
    clients: dict[str, openai.OpenAI] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return str(self.described["url"])

    def aws(self, service: str) -> Any:
        """A boto3 client of the emulated AWS that the stack is deployed in."""
        return boto3.client(
            service,
            endpoint_url=self.described["aws_endpoint"],
            region_name=self.described["region"],
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    def client(self, **options: Any) -> openai.OpenAI:
        """OpenAI's own client, pointed at the gateway; without retries, so that a test sees each answer."""
        settings: dict[str, Any] = {"api_key": self.described["client_key"], "max_retries": 0, "timeout": 30} | options
        key = repr(sorted(settings.items()))
        if key not in self.clients:
            self.clients[key] = openai.OpenAI(base_url=f"{self.url}/v1", **settings)
        return self.clients[key]

    def close(self) -> int:
        """End it as Ctrl-C does; its exit code."""
        for client in self.clients.values():
            client.close()
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=STOP_S)

    def upstream_requests(self) -> list[dict[str, Any]]:
        """What has reached the stand-in for OpenAI."""
        answer = httpx2.get(self.described["openai_endpoint"].removesuffix("/v1") + "/requests")
        return list(answer.raise_for_status().json())

    def log(self) -> str:
        """All that was printed so far; a task's lines begin with the task."""
        return self.printed.read_text()

    @contextlib.contextmanager
    def caller(self, **entry: Any) -> Iterator[openai.OpenAI]:
        """A caller of its own, with what its entry says, for as long as the context lasts."""
        key, secrets, secret = f"gwk-{uuid.uuid4()}", self.aws("secretsmanager"), self.described["outputs"]["clientsSecretArn"]
        before = secrets.get_secret_value(SecretId=secret)["SecretString"]
        entries = json.loads(before) | {f"caller-{uuid.uuid4().hex[:8]}": {"key_sha256": [self.digest(key)]} | entry}
        secrets.put_secret_value(SecretId=secret, SecretString=json.dumps(entries))
        try:
            self.until_known(key)
            yield self.client(api_key=key)
        finally:
            secrets.put_secret_value(SecretId=secret, SecretString=before)

    def fault(self, **fault: Any) -> None:
        """Let coming requests to the stand-in for OpenAI go wrong."""
        url = self.described["openai_endpoint"].removesuffix("/v1") + "/faults"
        httpx2.post(url, json=fault).raise_for_status()

    def until_known(self, key: str, *, known: bool = True) -> None:
        """Wait until every task accepts a client key, or none does any more: each reads the callers' secret by itself."""

        def asked() -> None:
            statuses = {
                httpx2.get(f"{task['url']}/v1/models", headers={"Authorization": f"Bearer {key}"}).status_code
                for task in self.described["tasks"]
            }
            assert statuses == ({200} if known else {401})

        self.until(asked)

    def until_kept(self, ask: Callable[[], str]) -> None:
        """Ask until the cache answers; `ask` gives what it said. An answer is there for other tasks a moment after it was given."""

        def hit() -> None:
            assert ask() == "hit"

        self.until(hit, 10)

    @staticmethod
    def digest(key: str) -> str:
        """What is kept of a key."""
        return hashlib.sha256(key.encode()).hexdigest()

    @staticmethod
    def until(held: Callable[[], object], within_s: float = 60) -> None:
        """Try until it does not raise; what it raised last, when the time is over."""
        end = time.monotonic() + within_s
        while True:
            try:
                held()
            except Exception:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)
            else:
                return


def start(folder: Path, *arguments: str) -> Stack:
    """Start a local stack and wait until it says that it is ready."""
    describe = folder / "describe.json"
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--describe", str(describe), *arguments]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, text=True)
    for _ in range(START_S * 10):
        if describe.exists():
            return Stack(process, json.loads(describe.read_text()), folder / "log")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.1)
            break
    process.kill()
    process.wait()
    raise AssertionError(f"the local stack did not come up:\n{(folder / 'log').read_text()}")


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stage `local`, deployed and running; shared by all tests that leave it as it was."""
    stack = start(tmp_path_factory.mktemp("local"), "--in-process")
    yield stack
    assert stack.close() == 0
