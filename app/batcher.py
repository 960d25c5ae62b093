"""Joins embeddings requests of the same moment into one call, and splits its answer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

from app.errors import UpstreamError
from app.kind_texts import INPUTS

MAX_TOKENS = 300_000
"""Most tokens in one call for embeddings."""
_MEMBERS = frozenset({"model", "input", "dimensions", "encoding_format"})
_ITEM = re.compile(rb"\{[^{}]*\}")  # an embedding is numbers or base64: no brace can be in it
_INDEX = re.compile(rb'("index"\s*:\s*)(\d+)')
_TOKENS = re.compile(rb'"prompt_tokens"\s*:\s*(\d+)')
_MODEL = re.compile(rb'"model"\s*:\s*("(?:[^"\\]|\\.)*")')

Request = dict[str, Any]
Call = Callable[[Request], Awaitable[bytes]]
"""Asks OpenAI, and gives the whole body of an answer of status 200."""


class Batcher:
    """Embeddings that wait for others. `wait_ms` of 0 is off: then nothing `fits`."""

    def __init__(self, wait_ms: int, call: Call) -> None:
        self._wait_s = wait_ms / 1000
        self._call = call
        self._open: dict[tuple[Any, ...], _Batch] = {}

    def fits(self, request: Request) -> bool:
        """Whether a request may be joined with others: it asks for embeddings, and says nothing about who is asking."""
        return self._wait_s > 0 and request.keys() <= _MEMBERS and bool(request["input"])

    async def answer(self, request: Request, tokens: int) -> bytes:
        """The answer to this request, as if it had been sent alone; `tokens` is its share of what the call is charged by.

        Raises:
            GatewayError: the call failed; everybody in it gets the same error.
        """
        inputs = _inputs(request["input"])
        key = request["model"], request.get("dimensions"), request.get("encoding_format"), type(inputs[0])
        batch = self._open.get(key)
        if batch and not batch.holds(len(inputs), tokens):
            batch.leave()
            batch = None
        if batch is None:
            batch = self._open[key] = _Batch(request, self._call, lambda: self._forget(key), self._wait_s)
        return await batch.add(inputs, tokens)

    def _forget(self, key: tuple[Any, ...]) -> None:
        self._open.pop(key, None)


class _Batch:
    """One call to be, and those who wait for it."""

    def __init__(self, request: Request, call: Call, forget: Callable[[], None], wait_s: float) -> None:
        self._request = request
        self._call = call
        self._forget = forget
        self._parts: list[tuple[list[Any], int, asyncio.Future[bytes]]] = []
        self._timer = asyncio.get_running_loop().call_later(wait_s, self.leave)
        self._task: asyncio.Task[None] | None = None

    def holds(self, inputs: int, tokens: int) -> bool:
        used = sum(len(part[0]) for part in self._parts), sum(part[1] for part in self._parts)
        return used[0] + inputs <= INPUTS and used[1] + tokens <= MAX_TOKENS

    async def add(self, inputs: list[Any], tokens: int) -> bytes:
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._parts.append((inputs, tokens, future))
        try:
            return await future
        finally:
            if self._task and all(part[2].done() for part in self._parts):
                self._task.cancel()  # nobody waits for it any more; of one that is over this is nothing

    def leave(self) -> None:
        """Stop waiting for others, and call."""
        self._timer.cancel()
        self._forget()
        self._parts = [part for part in self._parts if not part[2].done()]  # less those who hung up
        if self._parts:
            self._task = asyncio.get_running_loop().create_task(self._ask())

    async def _ask(self) -> None:
        try:
            body = await self._call({**self._request, "input": [item for inputs, _, _ in self._parts for item in inputs]})
            answers = split(body, [(len(inputs), tokens) for inputs, tokens, _ in self._parts])
        except Exception as failure:  # noqa: BLE001  whatever it is, everybody in the call is told
            for _, _, future in self._parts:
                if not future.done():
                    future.set_exception(failure)
            return
        for (_, _, future), answer in zip(self._parts, answers, strict=True):
            if not future.done():
                future.set_result(answer)


def split(body: bytes, parts: list[tuple[int, int]]) -> list[bytes]:
    """The answers to the parts of a call, each given by its number of inputs and its tokens; embeddings are copied, never parsed.

    Raises:
        UpstreamError: the answer is not one to these inputs.
    """
    items = sorted((int(found[2]), item) for item in _ITEM.findall(body) if (found := _INDEX.search(item)))
    total, model = _TOKENS.search(body), _MODEL.search(body)
    if [index for index, _ in items] != list(range(sum(inputs for inputs, _ in parts))) or not total or not model:
        raise UpstreamError("OpenAI's answer does not fit what it was asked.", code="upstream_error").with_fault("server")
    answers = []
    start = 0
    for (inputs, _), used in zip(parts, share(int(total[1]), [tokens for _, tokens in parts]), strict=True):
        mine = [_INDEX.sub(rb"\g<1>%d" % place, item, count=1) for place, (_, item) in enumerate(items[start : start + inputs])]
        start += inputs
        form = b'{"object":"list","data":[%b],"model":%b,"usage":{"prompt_tokens":%d,"total_tokens":%d}}'
        answers.append(form % (b",".join(mine), model[1], used, used))
    return answers


def share(total: int, weights: list[int]) -> list[int]:
    """A whole number divided in proportion, so that the parts add up to it: what rounding leaves goes to the largest remainders."""
    whole = sum(weights) or len(weights)
    weights = weights if sum(weights) else [1] * len(weights)
    shares = [total * weight // whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda place: -(total * weights[place] % whole))
    for place in order[: total - sum(shares)]:
        shares[place] += 1
    return shares


def _inputs(given: Any) -> list[Any]:
    """The texts or the arrays of tokens, however they were written."""
    return [given] if isinstance(given, str) or type(given[0]) is int else given
