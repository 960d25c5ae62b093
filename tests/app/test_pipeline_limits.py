"""Limits and the spend ladder as callers see them: OpenAI's errors and headers, and what is done about the stage's spending."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest

from sandbox.openai_server import OpenAIServer
from tests.app.conftest import PATIENT, Gateway, Stage, answered, error_of, question
from tests.app.stand_in import MODEL

NO_LADDER = {"ladder": ""}
TWO: dict[str, dict[str, Any]] = {"anna": {}, "bert": {}}


async def refused(gateway: Gateway, **members: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """The error and the headers of a request that must be refused for now."""
    async with gateway.post(question(**members)) as response:
        assert response.status == 429
        return await error_of(response), {name.lower(): value for name, value in response.headers.items()}


async def test_requests_a_minute_of_a_client(stage: Stage, openai_server: OpenAIServer) -> None:
    stages = await stage(TWO, client_requests_per_minute=2, cache_ttl_s=0)
    for left in ("1", "0"):
        async with stages["anna"].post(question()) as response:
            assert response.headers["x-ratelimit-remaining-requests"] == left
    error, headers = await refused(stages["anna"])
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert "requests a minute of your key" in error["message"]
    assert (headers["x-ratelimit-limit-requests"], headers["x-ratelimit-remaining-requests"]) == ("2", "0")
    assert headers["x-ratelimit-reset-requests"]
    assert 1 <= int(headers["retry-after"]) <= 30
    assert len(openai_server.requests) == 2
    await answered(stages["bert"], 200)
    async with stages["anna"].openai as client:
        with pytest.raises(openai.RateLimitError) as caught:
            await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hi"}])
    assert caught.value.code == "rate_limit_exceeded"


async def test_answer_from_the_cache_counts_against_no_limit(stage: Stage) -> None:
    anna = (await stage(client_requests_per_minute=1))["anna"]
    await answered(anna, 200)
    await answered(anna, 200)  # as soon as it is kept
    assert (await refused(anna, seed=1))[0]["code"] == "rate_limit_exceeded"


async def test_clients_own_limit_comes_before_the_general_one(stage: Stage) -> None:
    stages = await stage({"anna": {"limits": {"requests_per_minute": 1}}, "bert": {}}, client_requests_per_minute=5, cache_ttl_s=0)
    for name, limit in (("anna", "1"), ("bert", "5")):
        async with stages[name].post(question()) as response:
            assert (response.status, response.headers["x-ratelimit-limit-requests"]) == (200, limit)
    await refused(stages["anna"])
    await answered(stages["bert"], 200)


async def test_requests_a_minute_of_the_stage(stage: Stage) -> None:
    stages = await stage(TWO, stage_requests_per_minute=2)
    for gateway in stages.values():
        async with gateway.post(question()) as response:
            assert response.status == 200
            assert response.headers["x-ratelimit-limit-requests"] == "10000", "OpenAI's, as the client has no limit of its own"
    error, headers = await refused(stages["bert"], seed=1)
    assert error["code"] == "rate_limit_exceeded"
    assert "of this stage" in error["message"]
    assert int(headers["retry-after"]) >= 1


@pytest.mark.parametrize("whose", ["client", "stage"])
async def test_tokens_a_minute(stage: Stage, openai_server: OpenAIServer, whose: str) -> None:
    anna = (await stage(**{f"{whose}_tokens_per_minute": 100}))["anna"]
    error, headers = await refused(anna, max_completion_tokens=200)
    assert error["code"] == "rate_limit_exceeded"
    assert "this request alone" in error["message"]
    assert "retry-after" not in headers
    openai_server.add_fault(**PATIENT)
    async with anna.post(question(stream=True, max_completion_tokens=60)) as running:
        await running.content.readany()
        error, headers = await refused(anna, max_completion_tokens=60)
        assert "tokens a minute" in error["message"]
        assert 1 <= int(headers["retry-after"]) <= 60
        if whose == "client":
            assert headers["x-ratelimit-limit-tokens"] == "100"
            assert 20 <= int(headers["x-ratelimit-remaining-tokens"]) < 40
        async with anna.post(question(max_completion_tokens=10)) as small:
            assert small.status == 200
    await answered(anna, 200, max_completion_tokens=60)  # what was not used of it is given back


async def test_several_answers_count_as_many_times(stage: Stage) -> None:
    anna = (await stage(client_tokens_per_minute=100))["anna"]
    await refused(anna, n=3, max_completion_tokens=40)
    await answered(anna, 200, n=2, max_completion_tokens=40)


async def test_streams_at_once(stage: Stage, openai_server: OpenAIServer) -> None:
    stages = await stage(TWO, client_streams=1)
    openai_server.add_fault(**PATIENT)
    async with stages["anna"].post(question(stream=True)) as running:
        await running.content.readany()
        error, headers = await refused(stages["anna"], stream=True, seed=1)
        assert "streams open at once" in error["message"]
        assert headers["retry-after"] == "1"
        for gateway, stream in ((stages["anna"], False), (stages["bert"], True)):
            async with gateway.post(question(stream=stream)) as response:
                assert response.status == 200
                await response.read()
    await answered(stages["anna"], 200, stream=True, seed=2)


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ("client_usd_per_day", "client_usd_per_day"),
        ("client_usd_per_month", "client_usd_per_month"),
        ("budget_usd_per_month", "stage_usd_per_month"),
    ],
)
async def test_dollars(stage: Stage, openai_server: OpenAIServer, setting: str, code: str) -> None:
    anna = (await stage(**NO_LADDER, **{setting: 0.00003}))["anna"]  # 15 tokens of gpt-5-mini
    error, headers = await refused(anna, max_completion_tokens=100)
    assert (error["type"], error["code"]) == ("insufficient_quota", code)
    assert "retry-after" not in headers, "it does not help to wait"
    await answered(anna, 200, max_completion_tokens=10)
    error, headers = await refused(anna, max_completion_tokens=10, seed=1)
    assert error["code"] == code
    assert int(headers["retry-after"]) >= 1
    assert len(openai_server.requests) == 1


async def stepped(stage: Stage, step: str, **values: Any) -> Gateway:
    """A gateway whose stage has come to this step of its ladder, by one request that was paid for."""
    anna = (await stage(budget_usd_per_month=1, ladder=f"0.000001:{step}", **values))["anna"]
    async with anna.post(question("What is a tide?", model="gpt-5-nano")) as response:
        assert response.status == 200
        assert "x-gateway-spend-step" not in response.headers
    shown = {"cache": "cache_only"}.get(step, step)
    async with asyncio.timeout(10):
        while True:
            async with anna.post(question("What is a tide?", model="gpt-5-nano")) as response:
                if response.headers.get("x-gateway-spend-step") == shown:
                    return anna
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(("step", "model", "limit"), [("alert", MODEL, 400), ("cheaper", "gpt-5-nano", 400), ("shorter", MODEL, 100)])
async def test_steps_that_save(stage: Stage, openai_server: OpenAIServer, step: str, model: str, limit: int) -> None:
    anna = await stepped(stage, step, default_output_tokens=400)
    async with anna.post(question()) as response:
        assert response.status == 200
        assert (response.headers["x-gateway-spend-step"], response.headers["x-gateway-model"]) == (step, model)
    sent = openai_server.requests[-1]["body"]
    assert (sent["model"], sent["max_completion_tokens"]) == (model, limit)


async def test_step_that_answers_from_the_cache_alone(stage: Stage, openai_server: OpenAIServer) -> None:
    anna = await stepped(stage, "cache")
    openai_server.clear_requests()
    async with anna.post(question("What is a tide?", model="gpt-5-nano")) as response:
        assert (response.status, response.headers["x-cache"]) == (200, "hit")
    error, headers = await refused(anna)
    assert (error["type"], error["code"]) == ("insufficient_quota", "budget_cache_only")
    assert headers["x-gateway-spend-step"] == "cache_only"
    assert int(headers["retry-after"]) >= 1
    assert not openai_server.requests


async def test_step_that_stops(stage: Stage, openai_server: OpenAIServer) -> None:
    anna = await stepped(stage, "stop")
    openai_server.clear_requests()
    error, headers = await refused(anna)
    assert (error["type"], error["code"]) == ("insufficient_quota", "budget_spent")
    assert headers["x-gateway-spend-step"] == "stop"
    assert not openai_server.requests


async def test_step_outlives_the_gateway(stage: Stage) -> None:
    await stepped(stage, "stop")
    again = (await stage(budget_usd_per_month=1, ladder="0.000001:stop"))["anna"]
    assert (await refused(again))[0]["code"] == "budget_spent"
