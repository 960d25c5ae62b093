"""The app's user of the cache, on a real Valkey: it may do what the app does, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from app.ledger import GRACE_S, Ledger
from app.limits import Ladder, Limits
from app.reservation import Reservation
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


async def test_the_app_can_do_all_that_the_ledger_does(url: str) -> None:
    parts = urlsplit(url)
    valkey = Valkey(f"redis://{USER}:{PASSWORD}@{parts.hostname}:{parts.port}")
    valkey.start()
    limits = Limits(requests_per_minute=10, tokens_per_minute=100, streams=1, usd_per_day=1, usd_per_month=1)
    try:
        async with asyncio.timeout(10):
            await valkey.first_attempt.wait()
        # A hold lasts no time at all, so that the second call releases what the first one held.
        for ledger in (Ledger(valkey, limits, Ladder.parse("1:stop"), longest_s=-GRACE_S), Ledger(valkey, limits, Ladder())):
            asked = Reservation("1", "team", "gpt-5-mini", tokens=1, keep=60, cache_digest="0" * 64, prompt_version="v1", stream=True)
            assert (await ledger.reserve(asked, limits)).state == "go"
        ledger.settle(asked, tokens=1, cost_nanousd=1, answer=b"an answer")
        await ledger.drained()
        assert (await ledger.reserve(asked, limits)).body == b"an answer"
        ledger.settle(asked, hit=True)
        await ledger.drained()
        await ledger.invalidate(client="team", prompt_version="v1")
        assert (await ledger.spend("team"))["client_month_nanousd"] == 1
        assert [row["requests"] for row in await ledger.usage([datetime.now(UTC).date().isoformat()])] == [2]
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
        ["SCRIPT", "FLUSH"],
        ["HGETALL", "another"],
        ["ZADD", "another", "1", "a"],
        ["SHUTDOWN"],
    ],
    ids=" ".join,
)
async def test_it_can_do_nothing_else(url: str, command: list[str]) -> None:
    said = await answer(url, *command, password=PASSWORD)
    assert "no permissions" in said.lower() or "NOPERM" in said
