"""A body that comes again is not read again, and is answered as if it were."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app import reading
from app.errors import InvalidRequestError
from app.kind_chat import Chat
from app.reading import Reader
from tests.app.conftest import Start, question, usage
from tests.app.stand_in import MODEL, OpenAIStandIn

KIND = Chat(4, 1000)


def body(text: str = "hi", **members: Any) -> bytes:
    return json.dumps(question(text, **members)).encode()


def test_only_what_is_remembered_is_not_read_again() -> None:
    reader = Reader(KIND, redacts=False)
    once = reader.read(body())
    assert reader.read(body()) is not once
    reader.remember(once)
    assert reader.read(body()) is once
    assert reader.read(body("ho")) is not once


def test_what_is_remembered_is_bounded_in_number_and_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST", 2)
    reader = Reader(KIND, redacts=False)
    known = [reader.read(body(text)) for text in ("a", "b", "c", "d" * reading.MOST_BYTES)]
    for each in known:
        reader.remember(each)
    assert [reader.read(each.came) is each for each in known] == [False, True, True, False]


def test_known_body_has_the_text_taken_out_of_it() -> None:
    reader = Reader(KIND, redacts=True)
    found = reader.read(body("write to jane@example.com"))
    reader.remember(found)
    assert reader.read(body("write to jane@example.com")) is found
    assert b"jane" not in found.body
    assert b"[email]" in found.body


def test_wrong_body_is_refused_each_time() -> None:
    reader = Reader(KIND, redacts=False)
    for _ in range(2):
        with pytest.raises(InvalidRequestError, match="max_tokens"):
            reader.read(body(max_tokens=0))


@pytest.mark.usefixtures("connected")
async def test_known_body_keeps_to_what_the_headers_say(start: Start, upstream: OpenAIStandIn, valkey_url: str) -> None:
    """What was found in the body is used again; who asks, and what the headers want, is looked at each time."""
    gateway = await start(cache_url=valkey_url)
    seen = []
    for headers in ({}, {}, {}, {"cache-control": "no-store"}, {}):
        async with gateway.post(body("again and again"), **headers) as response:
            seen.append(response.headers.get("x-cache"))
            assert (await response.json())["model"].startswith(MODEL)
        await usage(gateway, requests=len(seen))  # so that what was kept is there
    assert seen == ["miss", "hit", "hit", None, "hit"]
    assert len(upstream.received) == 2
    async with gateway.post(body("again and again"), key="gwk-nobody") as response:
        assert response.status == 401
