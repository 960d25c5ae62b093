"""The app's user of the cache, on a real Valkey: it may do what the app does, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from app.cache import Cache, cache_key
from app.valkey import Valkey
from infra.cache import ACCESS
from sandbox.valkey_server import ValkeyServer

USER, PASSWORD = "app", "of-no-worth"


async def answer(url: str, *command: str, password: str = "") -> str:
    """What Valkey answers to a command: of the app's user with a password, of the administrator without."""
    import glide  # noqa: PLC0415  while tests are collected, hypothesis would look at it, and its old names warn when looked at

    parts = urlsplit(url)
    configuration = glide.GlideClientConfiguration(
        [glide.NodeAddress(str(parts.hostname), int(parts.port or 0))],
        credentials=glide.ServerCredentials(password, USER) if password else None,
        request_timeout=2000,
    )
    client = await glide.GlideClient.create(configuration)
    try:
        return str(await client.custom_command([*command]))
    except glide.RequestError as error:
        return str(error)
    finally:
        await client.close()


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """A Valkey that has the deployed user."""
    server = ValkeyServer()
    await server.start()
    try:
        assert await answer(server.url, "ACL", "SETUSER", USER, f">{PASSWORD}", *ACCESS.split()) == "OK"
        yield server.url
    finally:
        await server.stop()


async def test_the_app_can_keep_and_find_answers(url: str) -> None:
    parts = urlsplit(url)
    valkey = Valkey(f"redis://{USER}:{PASSWORD}@{parts.hostname}:{parts.port}")
    valkey.start()
    try:
        async with asyncio.timeout(10):
            await valkey.first_attempt.wait()
        answers = Cache(valkey, 60)
        key = cache_key("team", "/v1/chat/completions", {"model": "gpt-5-mini"})
        await answers.put(key, b"an answer")
        assert await answers.get(key) == b"an answer"
        assert valkey.up, "a command that is refused takes the connection down"
    finally:
        await valkey.close()


@pytest.mark.parametrize(
    "command",
    [
        ["GET", "another"],
        ["SET", "another", "1"],
        ["KEYS", "*"],
        ["SCAN", "0"],
        ["FLUSHALL"],
        ["CONFIG", "GET", "*"],
        ["ACL", "LIST"],
        ["CLIENT", "KILL", "TYPE", "normal"],
        ["EVAL", "return 1", "0"],
        ["DEL", "cache:team:1"],
        ["SHUTDOWN"],
    ],
    ids=" ".join,
)
async def test_it_can_do_nothing_else(url: str, command: list[str]) -> None:
    said = await answer(url, *command, password=PASSWORD)
    assert "no permissions" in said.lower() or "NOPERM" in said
