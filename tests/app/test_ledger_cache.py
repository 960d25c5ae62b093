"""The answers that the ledger keeps: whose they are, until when, and how they are forgotten."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from app.errors import UnavailableError
from app.ledger import MAX_ANSWER_BYTES, Ledger
from app.valkey import Valkey
from tests.app.books import FREE, new_ledger, request, valkey

__all__ = ["valkey"]  # a fixture
CLIENTS = st.sampled_from(["a", "b", "a.b", "cache", "model", "a-b", "0"])
MODELS = st.sampled_from(["m", "n", "ft:m:o::1"])
VERSIONS = st.sampled_from(["", "v1", "v2"])
DIGESTS = st.sampled_from(["0" * 64, "1" * 64])


async def look_up(ledger: Ledger, answer: bytes | None = None, **values: Any) -> bytes | None:
    """The kept answer; where there is none, the request is made and answered with `answer`."""
    asked = request(values.pop("client", "web"), **{"cache_digest": "0" * 64} | values)
    verdict = await ledger.reserve(asked, FREE)
    if verdict.state == "hit":
        ledger.settle(asked, hit=True)
        return verdict.body
    ledger.settle(asked, answer=answer)
    await ledger.drained()
    return None


@dataclass
class Model:
    """What must be kept, said in the plainest way."""

    kept: dict[tuple[str, str, str, str], bytes] = field(default_factory=dict)

    def invalidate(self, given: dict[str, str]) -> None:
        for key in list(self.kept):
            known = dict(zip(("client", "model", "prompt_version"), key, strict=False))
            if all(known[name] == value for name, value in given.items()):
                del self.kept[key]


LOOK = st.tuples(CLIENTS, MODELS, VERSIONS, DIGESTS)
FORGET = st.fixed_dictionaries({}, optional={"client": CLIENTS, "model": MODELS, "prompt_version": VERSIONS.filter(bool)})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(LOOK, LOOK, LOOK, FORGET), max_size=25))
async def test_no_caller_ever_gets_anothers_answer_nor_one_that_was_forgotten(valkey: Valkey, steps: list[Any]) -> None:
    await valkey.command("FLUSHALL")
    ledger, model = new_ledger(valkey), Model()
    for number, step in enumerate(steps):
        if isinstance(step, dict):
            await ledger.invalidate(**step)
            model.invalidate(step)
            continue
        client, name, version, digest = step
        answer = f"{number} of {client}".encode()
        expected = model.kept.get(step)
        whole = digest[:-1] + str(("m", "n", "ft:m:o::1").index(name))  # a digest is of the whole request, its model included
        found = await look_up(ledger, answer, client=client, model=name, prompt_version=version, cache_digest=whole)
        assert found == expected
        model.kept.setdefault(step, answer)


async def test_an_answer_that_was_asked_for_before_it_was_forgotten_is_not_kept(valkey: Valkey) -> None:
    ledger = new_ledger(valkey)
    asked = request(cache_digest="0" * 64)
    await ledger.reserve(asked, FREE)
    await ledger.invalidate(client="web")
    ledger.settle(asked, answer=b"old")
    await ledger.drained()
    assert await look_up(ledger) is None


async def test_forgetting_costs_one_key_however_much_is_kept(valkey: Valkey) -> None:
    ledger = new_ledger(valkey)
    for number in range(50):
        await look_up(ledger, b"kept", cache_digest=f"{number:064}")
    before = len(await valkey.command("KEYS", "*") or ())
    await ledger.invalidate(client="web")
    await ledger.invalidate(client="web", prompt_version="v1")
    assert len(await valkey.command("KEYS", "*") or ()) == before + 1
    assert [await look_up(ledger, cache_digest=f"{number:064}") for number in range(50)] == [None] * 50


async def test_versions_without_number_do_not_fill_the_memory(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.ledger.MOST_EPOCHS", 3)
    ledger = new_ledger(valkey)
    await look_up(ledger, b"kept", prompt_version="v9")
    for number in range(10):
        await ledger.invalidate(client="web", prompt_version=f"v{number}")
    assert await valkey.command("HLEN", "ledger:epochs") == 4
    assert await look_up(ledger, prompt_version="v9") is None


async def test_only_answers_that_may_be_kept_are(valkey: Valkey) -> None:
    ledger = new_ledger(valkey)
    await look_up(ledger, b"x" * (MAX_ANSWER_BYTES + 1))
    await look_up(ledger, None)
    await look_up(ledger, b"")
    await look_up(ledger, b"unkept", keep=0)
    assert await look_up(ledger, b"kept") is None
    assert await look_up(ledger, keep=0) is None
    assert await look_up(ledger) == b"kept"


async def test_an_answer_is_kept_for_its_own_time(valkey: Valkey) -> None:
    ledger = new_ledger(valkey)
    await look_up(ledger, b"kept", keep=7)
    key = next(key.decode() for key in await valkey.command("KEYS", "cache:*") or ())
    assert key == f"cache:web:0:-:{'0' * 64}"
    assert await valkey.command("TTL", key) == 7


async def test_forgetting_fails_aloud_when_valkey_is_away() -> None:
    with pytest.raises(UnavailableError):
        await new_ledger(Valkey("redis://127.0.0.1:1")).invalidate(client="web")
