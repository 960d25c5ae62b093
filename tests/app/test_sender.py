"""Every way in which OpenAI can fail before it begins to answer, streamed or not, with another model at hand or not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from app.access import Entry
from app.catalog import Catalog
from app.errors import GatewayError, UnavailableError, UpstreamError
from app.model import Model
from app.resilience import RetryBudget
from app.secret import Secret, Source, openai_key
from app.sender import ATTEMPTS, Sender, Sent
from app.settings import Settings
from app.upstream import Upstream
from sandbox.openai_server import OpenAIServer

KEY = "sk-sender"
PATH = "/chat/completions"
CATALOG = Catalog.load()
FIRST, SECOND = (CATALOG.resolve(name, (name,)) for name in ("gpt-5-mini", "gpt-5-nano"))


def body(model: Model, *, stream: bool = False) -> bytes:
    return json.dumps({"model": model.name, "messages": [{"role": "user", "content": "hi"}], "stream": stream}).encode()


class Line:
    """A sender with OpenAI at its other end, which waits for nothing and remembers how long it would have."""

    def __init__(self, server: OpenAIServer, upstream: Upstream, **options: Any) -> None:
        self.server = server
        self.pauses: list[float] = []
        self.entry = Entry("req-1")
        self._sender = Sender(upstream, sleep=self._pause, chance=lambda: 0.5, **options)

    async def send(self, *models: Model, stream: bool = False, time_s: float = 60) -> Sent:
        deadline = asyncio.get_running_loop().time() + time_s
        async with asyncio.timeout_at(deadline):
            sent = await self._sender.send(
                PATH, [(model, body(model, stream=stream)) for model in models], deadline, self.entry, stream=stream
            )
        sent.answer.close()
        return sent

    async def fail(self, *models: Model, stream: bool = False, time_s: float = 60) -> GatewayError:
        with pytest.raises(GatewayError) as caught:
            await self.send(*models, stream=stream, time_s=time_s)
        return caught.value

    def asked(self) -> list[str]:
        return [request["model"] for request in self.server.requests]

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    server = OpenAIServer({KEY}, token_delay_s=0)
    await server.start()
    settings = Settings.model_validate({"openai_base_url": server.url})
    upstream = Upstream(settings, Secret("openai_key", Source("", KEY, "OPENAI_API_KEY"), openai_key, 30))
    upstream.open()
    yield Line(server, upstream)
    await upstream.close()
    await server.stop()


class Case(NamedTuple):
    fault: Any
    times: int | None
    failure: str
    """What it comes to where no other model is at hand; empty: an answer."""
    alone: list[str]
    """The models that are asked then."""
    with_fallback: list[str]


ONCE, ALWAYS = 1, None
ASKED = ["gpt-5-mini"]
RETRIED = [*ASKED, "gpt-5-mini"]
TABLE = [
    Case("server_error", ONCE, "", RETRIED, RETRIED),
    Case("server_error", ALWAYS, "server", RETRIED, [*RETRIED, "gpt-5-nano"]),
    Case("overloaded", ONCE, "", RETRIED, RETRIED),
    Case("overloaded", ALWAYS, "server", RETRIED, [*RETRIED, "gpt-5-nano"]),
    Case("rate_limit", ONCE, "", RETRIED, [*ASKED, "gpt-5-nano"]),  # it asks to wait for a second: the other model is there at once
    Case("rate_limit", ALWAYS, "rate_limit", RETRIED, [*ASKED, "gpt-5-nano"]),
    Case("insufficient_quota", ALWAYS, "quota", ASKED, ASKED),
    Case("organization_spend_limit", ALWAYS, "spend_limit", ASKED, ASKED),
    Case("project_spend_limit", ALWAYS, "spend_limit", ASKED, ASKED),
    Case("slow", ONCE, "", ASKED, ASKED),
    Case("cut", ONCE, "", ASKED, ASKED),  # later than the sender looks: what the caller may have seen is never asked for again
    Case("bad_json", ONCE, "", ASKED, ASKED),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("case", TABLE, ids=lambda case: f"{case.fault}-{case.times}")
async def test_faults_without_another_model(line: Line, case: Case, stream: bool) -> None:  # noqa: FBT001  a parameter
    line.server.add_fault(case.fault, times=case.times, model=FIRST.name, delay_s=0.01)
    if case.failure:
        error = await line.fail(FIRST, stream=stream)
        assert isinstance(error, UpstreamError)
        assert (error.fault, line.entry.fault) == (case.failure, case.failure)
        assert "error" in json.loads(error.body())
    else:
        sent = await line.send(FIRST, stream=stream)
        assert (sent.answer.status, sent.model, sent.fallback) == (200, FIRST, False)
        assert (line.entry.fault is None) is (len(case.alone) == 1)
    assert line.asked() == case.alone
    assert line.entry.attempts == len(case.alone)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("case", TABLE, ids=lambda case: f"{case.fault}-{case.times}")
async def test_faults_with_another_model_at_hand(line: Line, case: Case, stream: bool) -> None:  # noqa: FBT001  a parameter
    line.server.add_fault(case.fault, times=case.times, model=FIRST.name, delay_s=0.01)
    if case.failure in {"quota", "spend_limit"}:
        assert getattr(await line.fail(FIRST, SECOND, stream=stream), "fault", "") == case.failure
    else:
        sent = await line.send(FIRST, SECOND, stream=stream)
        assert (sent.answer.status, sent.model.name) == (200, case.with_fallback[-1])
        assert sent.fallback is (sent.model is SECOND)
    assert line.asked() == case.with_fallback


async def test_retry_after_is_obeyed_up_to_the_deadline(line: Line) -> None:
    line.server.add_fault("rate_limit", retry_after_s=20)
    await line.send(FIRST)
    assert line.pauses == [pytest.approx(20.05)]
    line.server.add_fault("rate_limit", retry_after_s=20)
    error = await line.fail(FIRST, time_s=10)
    assert error.headers["retry-after"] == "20"
    line.server.add_fault("rate_limit", retry_after_s=40)
    await line.fail(FIRST)
    line.server.add_fault("server_error")
    await line.send(FIRST)
    assert line.pauses[1:] == [pytest.approx(0.25)], "half of the half second that it may be, as chance is a half here"


@pytest.mark.parametrize("stream", [False, True])
async def test_silence_before_the_first_byte_ends_in_the_fallback(line: Line, stream: bool) -> None:  # noqa: FBT001  a parameter
    line.server.add_fault("hang", times=None, model=FIRST.name)
    sent = await line.send(FIRST, SECOND, stream=stream, time_s=4)
    assert (sent.fallback, line.entry.fault) == (True, "timeout")
    with pytest.raises(TimeoutError):
        await line.send(FIRST, stream=stream, time_s=0.1)


async def test_no_connection_is_tried_again_and_then_said(line: Line) -> None:
    await line.server.stop()
    error = await line.fail(FIRST, SECOND)
    assert isinstance(error, UpstreamError)
    assert (error.fault, error.status, line.entry.attempts) == ("unreachable", 502, 2 * ATTEMPTS)


async def test_a_fallback_that_refuses_does_not_speak_for_the_first(line: Line) -> None:
    line.server.add_fault("server_error", times=None, model=FIRST.name)
    unknown = CATALOG.resolve("gpt-5.6-luna", ("gpt-5.6-luna",))  # the stand-in has no such model
    error = await line.fail(FIRST, unknown)
    assert isinstance(error, UpstreamError)
    assert (error.fault, line.asked()[-1]) == ("server", "gpt-5.6-luna")
    refused = await line.fail(unknown)
    assert isinstance(refused, UpstreamError)
    assert (refused.fault, refused.response().status_code) == ("refused", 404)


async def test_quotas_stand_in_the_log_for_an_alarm(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    line.server.add_fault("project_spend_limit")
    await line.fail(FIRST)
    logged = json.loads(capsys.readouterr().out)
    assert (logged["event"], logged["kind"], logged["level"]) == ("upstream_unpaid", "spend_limit", "error")


async def test_retries_have_a_budget(line: Line) -> None:
    line._sender = Sender(line._sender._upstream, RetryBudget(share=0.1, floor=2), line._pause)
    line.server.add_fault("rate_limit", times=None)
    for _ in range(10):
        await line.fail(FIRST)
    assert len(line.asked()) == 12


async def test_what_keeps_failing_is_left_alone_and_its_fallback_asked_at_once(line: Line) -> None:
    line.server.add_fault("server_error", times=None, model=FIRST.name)
    for _ in range(3):
        await line.send(FIRST, SECOND)
    line.server.clear_requests()
    sent = await line.send(FIRST, SECOND)
    assert (sent.fallback, line.asked()) == (True, ["gpt-5-nano"])
    error = await line.fail(FIRST)
    assert isinstance(error, UnavailableError)
    assert (error.code, int(error.headers["retry-after"]) > 0) == ("upstream_unavailable", True)
