"""Embeddings that share a call: each caller gets what it would have got alone."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from app.batcher import MAX_TOKENS, Batcher, share, split
from app.errors import UpstreamError
from sandbox.openai_answers import embeddings

MODEL = "text-embedding-3-small"


class OpenAI:
    """The stand-in's embeddings, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.failure: Exception | None = None
        self.hold = asyncio.Event()
        self.hold.set()
        self.cancelled = False

    async def __call__(self, request: dict[str, Any]) -> bytes:
        self.asked.append(request)
        try:
            await self.hold.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self.failure:
            raise self.failure
        return json.dumps(embeddings(request), indent=1).encode()


def ask(*texts: str, **members: Any) -> dict[str, Any]:
    return {"model": MODEL, "input": list(texts), "dimensions": 3, **members}


def count(request: dict[str, Any]) -> int:
    answer = embeddings(request)
    assert isinstance(answer, dict)
    return int(answer["usage"]["prompt_tokens"])


async def together(batcher: Batcher, *requests: dict[str, Any]) -> list[dict[str, Any]]:
    return [json.loads(body) for body in await asyncio.gather(*(batcher.answer(request, count(request)) for request in requests))]


@pytest.mark.parametrize("encoding", ["float", "base64"])
async def test_requests_of_the_same_moment_share_a_call(encoding: str) -> None:
    upstream = OpenAI()
    requests = [
        ask("a", "b c", encoding_format=encoding),
        ask("d", encoding_format=encoding) | {"input": "one text"},
        ask("e", encoding_format=encoding),
    ]
    assert await together(Batcher(5, upstream), *requests) == [embeddings(request) for request in requests]
    assert [request["input"] for request in upstream.asked] == [["a", "b c", "one text", "e"]]


async def test_only_requests_that_are_alike_share_a_call() -> None:
    upstream = OpenAI()
    requests = [ask("a"), ask("b", dimensions=4), ask("c", encoding_format="base64"), ask("d", model="text-embedding-3-large")]
    assert await together(Batcher(5, upstream), *requests) == [embeddings(request) for request in requests]
    assert len(upstream.asked) == 4
    batcher = Batcher(5, upstream)
    assert batcher.fits(ask("a"))
    assert not batcher.fits(ask("a", user="somebody"))
    assert not Batcher(0, upstream).fits(ask("a"))


async def test_a_call_stays_within_the_apis_limits() -> None:
    upstream = OpenAI()
    await together(Batcher(5, upstream), ask(*["a"] * 1500), ask(*["b"] * 500), ask(*["c"] * 100))
    assert sorted(len(request["input"]) for request in upstream.asked) == [100, 2000]
    upstream.asked.clear()
    batcher = Batcher(5, upstream)
    await asyncio.gather(*(batcher.answer(ask(text), MAX_TOKENS // 2) for text in "abc"))
    assert sorted(len(request["input"]) for request in upstream.asked) == [1, 2]


async def test_a_failure_is_everybodys() -> None:
    upstream = OpenAI()
    upstream.failure = UpstreamError("down")
    batcher = Batcher(5, upstream)
    results = await asyncio.gather(*(batcher.answer(ask(text), 1) for text in "ab"), return_exceptions=True)
    assert results == [upstream.failure] * 2
    assert len(upstream.asked) == 1


async def test_who_hangs_up_is_left_out_or_changes_nothing_for_the_others() -> None:
    upstream = OpenAI()
    batcher = Batcher(5, upstream)
    early, stays = (asyncio.create_task(batcher.answer(ask(text), 1)) for text in "ab")
    await asyncio.sleep(0)
    early.cancel()
    assert json.loads(await stays) == embeddings(ask("b"))
    assert upstream.asked[0]["input"] == ["b"]

    upstream.hold.clear()
    late, stays = (asyncio.create_task(batcher.answer(ask(text), 1)) for text in "cd")
    await until(lambda: len(upstream.asked) == 2)
    late.cancel()
    await asyncio.sleep(0)
    upstream.hold.set()
    assert json.loads(await stays) == embeddings(ask("d"))

    upstream.hold.clear()
    both = [asyncio.create_task(batcher.answer(ask(text), 1)) for text in "ef"]
    await until(lambda: len(upstream.asked) == 3)
    for task in both:
        task.cancel()
    await until(lambda: upstream.cancelled)


async def until(happened: Any) -> None:
    async with asyncio.timeout(5):
        while not happened():  # noqa: ASYNC110  the batcher's own timer is what is waited for
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"data":[{"index":0,"embedding":[]}],"model":"m","usage":{"prompt_tokens":1}}'])
def test_an_answer_that_does_not_fit_is_an_error(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        split(body, [(1, 1), (1, 1)])


@given(st.integers(0, 10**6), st.lists(st.integers(0, 10**5), min_size=1, max_size=20))
def test_shares_are_fair_and_add_up(total: int, weights: list[int]) -> None:
    shares = share(total, weights)
    assert sum(shares) == total
    whole = sum(weights)
    if whole:
        assert all(abs(part - total * weight / whole) < 1 for part, weight in zip(shares, weights, strict=True))
