"""Who asks, told without a name; what is asked, checked before it is answered, by the stand-in's moderation."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from app.errors import InvalidRequestError, UnavailableError, UpstreamError
from app.safety import BATCH, MODERATION_PATH, REMEMBERED, Moderation, safety_identifier
from sandbox.openai_server import OpenAIServer


class Caller:
    """The call to OpenAI, as the gateway makes it, and how many inputs each had."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.sent: list[int] = []
        self._url = url + MODERATION_PATH
        self._http = http

    async def __call__(self, body: bytes, request_id: str) -> bytes:
        self.sent.append(len(json.loads(body)["input"]))
        headers = {"authorization": "Bearer sk-1", "content-type": "application/json", "x-client-request-id": request_id}
        async with self._http.post(self._url, data=body, headers=headers) as response:
            if response.status != 200:
                raise UpstreamError("OpenAI answered with an error")
            return await response.read()


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    server = OpenAIServer({"sk-1"})
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def caller(server: OpenAIServer) -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession() as http:
        yield Caller(server.url, http)


async def test_flagged_input_is_refused_with_its_categories(caller: Caller) -> None:
    moderation = Moderation(caller)
    assert await moderation.check(["hello"], "req_1") == ()
    assert await moderation.check(["hello", "I will kill you, you idiot"], "req_1") == ("harassment", "violence")
    with pytest.raises(InvalidRequestError, match="harassment, violence") as refused:
        await moderation.require(["I will kill you, you idiot"], "req_1")
    assert refused.value.status == 400
    assert refused.value.code == "content_policy_violation"
    assert "kill" not in refused.value.message


async def test_earlier_turns_are_not_asked_about_again_and_flagged_ones_are(caller: Caller) -> None:
    moderation = Moderation(caller)
    await moderation.require(["one", "", " "], "r")
    await moderation.require(["one", "two", "two"], "r")
    await moderation.require(["one", "two"], "r")
    assert caller.sent == [1, 1]
    for _ in range(2):
        assert await moderation.check(["one", "kill"], "r") == ("violence",)
    assert caller.sent == [1, 1, 1, 1]


async def test_many_texts_go_in_batches_and_memory_is_bounded(caller: Caller) -> None:
    moderation = Moderation(caller)
    texts = [f"text {number}" for number in range(BATCH + 1)]
    assert await moderation.check([*texts, "kill"], "r") == ("violence",)
    assert sorted(caller.sent) == [2, BATCH]
    await moderation.check((f"more {number}" for number in range(REMEMBERED + 10)), "r")
    assert len(moderation._harmless) == REMEMBERED


@pytest.mark.parametrize("fault", ["server_error", "rate_limit", "bad_json", "hang"])
async def test_unavailable_moderation(server: OpenAIServer, caller: Caller, fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Closed refuses, open lets pass, and both say so once an outage; then it works again."""
    for closed in (True, False):
        moderation = Moderation(caller, closed=closed, timeout_s=1 if fault == "hang" else 5)
        server.add_fault(fault, times=2, path="/v1/moderations")  # type: ignore[arg-type]
        for _ in range(2):
            if closed:
                with pytest.raises(UnavailableError) as refused:
                    await moderation.require(["kill"], "r")
                assert (refused.value.status, refused.value.code) == (503, "moderation_unavailable")
            else:
                await moderation.require(["kill"], "r")
        with pytest.raises(InvalidRequestError):
            await moderation.require(["kill"], "r")
        events = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
        assert events == ["moderation_unavailable", "moderation_recovered"]


@pytest.mark.parametrize("answer", [b"{}", b"[]", b'{"results": []}', b'{"results": [1]}', b'{"results": 1}', b"\xff"])
async def test_an_answer_that_says_nothing_is_not_taken_for_harmless(answer: bytes) -> None:
    async def post(_body: bytes, _request_id: str) -> bytes:
        return answer

    with pytest.raises(UnavailableError):
        await Moderation(post).check(["hi"], "r")


def test_safety_identifier() -> None:
    key = b"of the stage"
    found = safety_identifier(key, "web", "alice")
    assert found == safety_identifier(key, "web", "alice")
    assert found.isalnum()
    assert len(found) <= 64
    others = {
        safety_identifier(b"another", "web", "alice"),
        safety_identifier(key, "web", "bob"),
        safety_identifier(key, "shop", "alice"),
        safety_identifier(key, "web", None),
        safety_identifier(key, "weba", "lice"),
        safety_identifier(key, "web", "\ud800"),
        safety_identifier(key + b"x" * 100, "web", "alice"),
    }
    assert len(others | {found}) == 8
