"""The catalogue of models: what names mean, what things cost, and what cannot stand in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from app.catalog import PATH, Catalog
from app.errors import InvalidRequestError, NotFoundError
from app.model import CatalogError
from app.usage import Usage

CATALOG = Catalog.load()
STAGE = ("gpt-5-mini", "gpt-5-nano")
ENTRY = {
    "kinds": ["chat"], "usd_per_million": {"input": 2, "cached_input": 0.5, "output": 8}, "context_tokens": 1000,
    "max_output_tokens": 100, "encoding": "o200k_base",
}  # fmt: skip


def written(folder: Path, models: dict[str, Any], aliases: dict[str, list[str]] | None = None) -> Path:
    path = folder / "catalog.json"
    path.write_text(json.dumps({"version": 1, "date": "2026-01-01", "source": "", "aliases": aliases or {}, "models": models}))
    return path


def test_a_name_means_its_model_and_an_alias_the_first_that_is_allowed() -> None:
    assert CATALOG.resolve("gpt-5-nano", STAGE, "chat").name == "gpt-5-nano"
    assert CATALOG.resolve("smart", STAGE, "chat").name == "gpt-5-mini"
    assert CATALOG.resolve("smart", ("gpt-5-mini", "gpt-6-sol")).name == "gpt-6-sol"
    assert CATALOG.resolve("fast", ("fast",)).name == "gpt-6-luna"


def test_what_is_not_allowed_is_not_there_and_the_message_says_what_is() -> None:
    with pytest.raises(NotFoundError) as caught:
        CATALOG.resolve("gpt-6-astra", STAGE)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert "gpt-5-mini, gpt-5-nano, omni-moderation-latest, fast, smart" in caught.value.message
    assert CATALOG.names(("gpt-4.1",)) == ["gpt-4.1", "omni-moderation-latest", "smart"]
    for name in CATALOG.names(STAGE):
        assert CATALOG.resolve(name, STAGE).name in {*STAGE, "omni-moderation-latest"}


@pytest.mark.parametrize("name", [None, 5, "", ["gpt-5-mini"]])
def test_a_model_is_named_by_a_string(name: object) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        CATALOG.resolve(name, STAGE)
    assert caught.value.status == 400


def test_a_model_answers_only_its_kinds_and_an_alias_finds_one_that_does() -> None:
    allowed = ("text-embedding-3-small", "gpt-5-mini")
    assert CATALOG.resolve("text-embedding-3-small", allowed, "embeddings").output_nanousd == 0
    with pytest.raises(InvalidRequestError, match="does not answer embeddings; it answers: chat, responses"):
        CATALOG.resolve("gpt-5-mini", allowed, "embeddings")
    with pytest.raises(NotFoundError):
        CATALOG.resolve("smart", allowed, "embeddings")


def test_snapshots_and_fine_tuned_models_go_by_their_base() -> None:
    names = ("gpt-5-mini-2025-08-07", "ft:gpt-4.1-mini-2025-04-14:team::1")
    CATALOG.check(names)
    snapshot, tuned = (CATALOG.resolve(name, names) for name in names)
    assert (snapshot.name, snapshot.input_nanousd) == (names[0], 250)
    assert (tuned.name, tuned.output_nanousd) == (names[1], 2 * 1600)
    assert CATALOG.fallback(tuned, (*names, "gpt-4o-mini")) is None
    with pytest.raises(CatalogError, match=r"gpt-99, ft:gpt-99:team::1\. Add each with its price"):
        CATALOG.check(("gpt-99", "ft:gpt-99:team::1", "fast", "gpt-5"))


def test_fallbacks_are_those_allowed_that_hold_the_request() -> None:
    model = CATALOG.resolve("gpt-5-mini", STAGE)
    found = CATALOG.fallback(model, STAGE)
    assert found is not None
    assert found.name == "gpt-5-nano"
    assert CATALOG.fallback(found, STAGE) is None
    assert CATALOG.fallback(model, STAGE, tokens=400_001) is None
    assert CATALOG.cheaper(model, STAGE).name == "gpt-5-nano"
    assert CATALOG.cheaper(found, STAGE) is found
    same_price = CATALOG.resolve("gpt-6.2-sol", ("gpt-6.2-sol",))
    assert CATALOG.fallback(same_price, ("gpt-6-sol",)) is not None
    assert CATALOG.cheaper(same_price, ("gpt-6-sol",)) is same_price


@pytest.mark.parametrize(
    ("name", "usage", "tier", "nanousd"),
    [
        ("gpt-5-mini", Usage(1000, 100), None, 1000 * 250 + 100 * 2000),
        ("gpt-5-mini", Usage(1000, 100, 400), None, 600 * 250 + 400 * 25 + 100 * 2000),
        ("gpt-5-mini", Usage(1000, 100), "priority", 2 * (1000 * 250 + 100 * 2000)),
        ("gpt-5-mini", Usage(1000, 100), "flex", (1000 * 250 + 100 * 2000) // 2),
        ("gpt-5-mini", Usage(1000, 100), ["odd"], 1000 * 250 + 100 * 2000),
        ("gpt-6-luna", Usage(1000, 100), None, 1000 * 100 + 100 * 500),
        ("gpt-6-luna", Usage(2000, 100, 1000), None, 1000 * 125 + 1000 * 10 + 100 * 500),
        ("gpt-6-luna", Usage(300_000, 100), None, 2 * 300_000 * 125 + 150 * 500),
        ("omni-moderation-latest", Usage(1000, 0), None, 0),
    ],
)
def test_costs(name: str, usage: Usage, tier: object, nanousd: int) -> None:
    assert CATALOG.cost_nanousd(CATALOG.resolve(name, (name,)), usage, tier) == nanousd


MODELS = list(json.loads(PATH.read_text())["models"])


@given(st.sampled_from(MODELS), st.sets(st.sampled_from(MODELS)), st.integers(0, 10**6), st.integers(0, 10**5), st.data())
def test_a_reservation_covers_what_the_model_or_its_fallback_can_cost(
    name: str, allowed: set[str], prompt: int, output: int, data: st.DataObject
) -> None:
    model = CATALOG.resolve(name, MODELS)
    usage = Usage(prompt, data.draw(st.integers(0, output)), data.draw(st.integers(0, prompt)))
    for each in (model, CATALOG.fallback(model, allowed, prompt + output) or model):
        assert 0 <= CATALOG.cost_nanousd(each, usage) <= CATALOG.reserve_nanousd(model, prompt, output)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fallback": "none"}, "a falls back on none, which is not in the catalogue"),
        ({"fallback": "b"}, "circle: a -> b -> a"),
        ({"fallback": "dear"}, "dear, which costs more"),
        ({"fallback": "deaf"}, "deaf, which does not answer all"),
        ({"usd_per_million": {"input": -1, "cached_input": 0, "output": 0}}, "the price input must be dollars"),
        ({"usd_per_million": {"input": "1", "cached_input": 0, "output": 0}}, "the price input must be dollars"),
        ({"usd_per_million": {"input": 0.0001, "cached_input": 0, "output": 0}}, "multiple of 0.001"),
        ({"usd_per_million": {"input": 1, "output": 0}}, "a: cached_input is missing"),
        ({"kinds": ["chats"]}, "a: kinds must be some of"),
        ({"encoding": "p50k"}, "a: encoding must be one of"),
        ({"context_tokens": -1}, "a: context_tokens must be a whole number"),
        ({"prize": 1}, "a: there is no member prize"),
        ({"retires": "soon"}, "a: retires must be a day"),
    ],
)
def test_what_cannot_be_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    dear = ENTRY | {"usd_per_million": {"input": 3, "cached_input": 0, "output": 8}}
    others = {"b": ENTRY | {"fallback": "a"}, "dear": dear, "deaf": ENTRY | {"kinds": ["responses"]}}
    Catalog.load(written(tmp_path, {"a": ENTRY, **others}))
    with pytest.raises(CatalogError, match=message):
        Catalog.load(written(tmp_path, {"a": ENTRY | change, **others}))


@pytest.mark.parametrize("aliases", [{"a": ["b"]}, {"fast": []}, {"fast": ["none"]}])
def test_aliases_have_models_and_are_none(tmp_path: Path, aliases: dict[str, list[str]]) -> None:
    with pytest.raises(CatalogError, match="The alias"):
        Catalog.load(written(tmp_path, {"a": ENTRY, "b": ENTRY}, aliases))
