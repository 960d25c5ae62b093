"""The whole way of a request, over a real Valkey and the sandbox's OpenAI: every endpoint, and what stands between it and OpenAI."""

from __future__ import annotations

import asyncio

import openai
import pytest

from sandbox.openai_server import OpenAIServer
from tests.app.conftest import MODELS, PATIENT, Stage, answered, error_of, question, usage
from tests.app.stand_in import MODEL

EVERY_KIND = (*MODELS, "gpt-3.5-turbo-instruct", "text-embedding-3-small")


async def test_responses(stage: Stage, openai_server: OpenAIServer) -> None:
    anna = (await stage())["anna"]
    async with anna.openai as client:
        answer = await client.responses.create(model="smart", input="Say something about tides.", instructions="Be brief.")
        assert answer.status == "completed"
        assert answer.usage is not None
        stream = await client.responses.create(model=MODEL, input="Say something about tides.", stream=True)
        events = [event async for event in stream]
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == answer.output_text
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.usage is not None
    sent = openai_server.requests[0]["body"]
    assert (sent["model"], sent["store"], sent["max_output_tokens"]) == (MODEL, False, 4096)
    report = await usage(anna, requests=2)
    read = answer.usage.input_tokens + last.response.usage.input_tokens
    assert (report["prompt_tokens"], report["completion_tokens"]) == (read, 2 * answer.usage.output_tokens)


async def test_completions_of_twenty_prompts_and_not_one_more(stage: Stage, openai_server: OpenAIServer) -> None:
    anna = (await stage(models=EVERY_KIND))["anna"]
    prompts = [f"Number {number} is" for number in range(21)]
    async with anna.openai as client:
        answer = await client.completions.create(model="gpt-3.5-turbo-instruct", prompt=prompts[:20])
        assert [choice.index for choice in answer.choices] == list(range(20))
        stream = await client.completions.create(model="gpt-3.5-turbo-instruct", prompt=prompts[:2], stream=True)
        assert {choice.index async for chunk in stream for choice in chunk.choices} == {0, 1}
        with pytest.raises(openai.BadRequestError, match="20") as caught:
            await client.completions.create(model="gpt-3.5-turbo-instruct", prompt=prompts)
    assert caught.value.param == "prompt"
    assert len(openai_server.requests) == 2


@pytest.mark.parametrize("batch_ms", [0, 50])
async def test_embeddings_are_each_ones_own(stage: Stage, openai_server: OpenAIServer, batch_ms: int) -> None:
    anna = (await stage(models=EVERY_KIND, batch_ms=batch_ms))["anna"]
    asked: list[str | list[str]] = ["tide", ["ebb", "flow"], "moon"]
    async with anna.openai as client:
        embed = client.embeddings.create
        answers = await asyncio.gather(*(embed(model="text-embedding-3-small", input=given, dimensions=8) for given in asked))
        alone = await embed(model="text-embedding-3-small", input=["tide", "ebb", "flow", "moon"], dimensions=8)
    assert [[item.index for item in answer.data] for answer in answers] == [[0], [0, 1], [0]]
    assert [item.embedding for answer in answers for item in answer.data] == [item.embedding for item in alone.data]
    assert sum(answer.usage.prompt_tokens for answer in answers) == alone.usage.prompt_tokens
    assert len(openai_server.requests) == (2 if batch_ms else 4)


async def test_moderations_cost_nothing(stage: Stage) -> None:
    anna = (await stage(client_usd_per_day=0.000001))["anna"]
    async with anna.openai as client:
        answer = await client.moderations.create(input=["good morning", "I kill you"])
        assert [result.flagged for result in answer.results] == [False, True]
        with pytest.raises(openai.RateLimitError):
            await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hi"}])


async def test_model_of_another_endpoint_is_refused(stage: Stage, openai_server: OpenAIServer) -> None:
    anna = (await stage(models=EVERY_KIND))["anna"]
    async with anna.openai as client:
        with pytest.raises(openai.BadRequestError, match="embeddings") as caught:
            await client.chat.completions.create(model="text-embedding-3-small", messages=[{"role": "user", "content": "hi"}])
    assert caught.value.code == "unsupported_model"
    assert not openai_server.requests


async def test_other_model_answers(stage: Stage, openai_server: OpenAIServer) -> None:
    anna = (await stage())["anna"]
    openai_server.add_fault("overloaded", model=MODEL, times=None)
    async with anna.post(question()) as response:
        assert response.status == 200
        assert (response.headers["x-gateway-fallback"], response.headers["x-gateway-model"]) == (MODEL, "gpt-5-nano")
        assert (await response.json())["model"] == "gpt-5-nano"
        used = (await response.json())["usage"]
        cost_usd = float(response.headers["x-gateway-cost-usd"])
    assert cost_usd == pytest.approx((used["prompt_tokens"] * 0.05 + used["completion_tokens"] * 0.4) / 1e6)


async def test_other_model_is_the_one_that_is_booked(stage: Stage, openai_server: OpenAIServer) -> None:
    anna = (await stage())["anna"]
    openai_server.add_fault("overloaded", model=MODEL, times=None)
    async with anna.post(question()) as response:
        assert response.status == 200
    await usage(anna, requests=1)
    async with anna.get("/usage?group=model") as response:
        (row,) = (await response.json())["data"]
    assert (row["model"], row["errors"]) == ("gpt-5-nano", 0)


async def test_more_than_a_worker_can_do_is_a_503_that_comes_again(stage: Stage, openai_server: OpenAIServer) -> None:
    anna = (await stage(max_in_flight=1))["anna"]
    openai_server.add_fault(**PATIENT)
    async with anna.post(question(stream=True)) as running:
        await running.content.readany()
        async with anna.post(question()) as response:
            assert (response.status, response.headers["retry-after"]) == (503, "1")
            assert (await error_of(response))["code"] == "overloaded"
    await answered(anna, 200)


async def test_flagged_input_is_never_answered(stage: Stage, openai_server: OpenAIServer) -> None:
    stages = await stage({"anna": {}, "adult": {"moderate": False}}, moderate=True)
    async with stages["anna"].post(question("I kill you")) as response:
        assert response.status == 400
        error = await error_of(response)
    assert error["code"] == "content_policy_violation"
    assert "violence" in error["message"]
    assert [request["path"] for request in openai_server.requests] == ["/v1/moderations"]
    for gateway, text in ((stages["anna"], "good morning"), (stages["adult"], "I kill you")):
        async with gateway.post(question(text)) as response:
            assert response.status == 200
    openai_server.add_fault("server_error", path="/v1/moderations")
    async with stages["anna"].post(question("nobody knows about this")) as response:
        assert response.status == 503
        assert (await error_of(response))["code"] == "moderation_unavailable"


@pytest.mark.parametrize("redact", [True, False])
async def test_prompts_are_redacted_where_it_is_asked_for(stage: Stage, openai_server: OpenAIServer, redact: bool) -> None:  # noqa: FBT001  a parameter
    anna = (await stage(redact=redact))["anna"]
    async with anna.post(question("write to anna@example.com")) as response:
        assert response.status == 200
    sent = openai_server.requests[0]["body"]["messages"][0]["content"]
    assert sent == f"write to {'[email]' if redact else 'anna@example.com'}"


async def test_cut_stream_is_billed_for_what_came(stage: Stage, openai_server: OpenAIServer) -> None:
    anna = (await stage(models=MODEL))["anna"]
    openai_server.token_delay_s = 0.01
    openai_server.add_fault("cut", after_chunks=4)
    async with anna.post(question("Tell me about tides", stream=True)) as response:
        assert b'"upstream_cut"' in await response.read()
    report = await usage(anna, requests=1)
    assert report["errors"] == 1
    assert 0 < report["completion_tokens"] <= 4
