from __future__ import annotations

import hashlib
import json

import pytest

from app.clients import Client, new_key, parse
from app.limits import Limits
from app.secret import SecretError

A, B = "a" * 64, "b" * 64


def test_new_key_is_long_random_and_known_by_its_digest_alone() -> None:
    (key, digest), (other, _) = new_key(), new_key()
    assert key.startswith("gwk-")
    assert len(key) == len("gwk-") + 43  # 256 bits in base64
    assert key != other
    assert digest == hashlib.sha256(key.encode()).hexdigest()


def test_a_caller_may_have_two_keys_while_one_replaces_the_other() -> None:
    found = parse(f'{{"team": {{"key_sha256": ["{A}", "{B}"]}}, "idle": {{"key_sha256": []}}}}')
    assert {digest: client.name for digest, client in found.items()} == {A: "team", B: "team"}


def test_an_entry_says_what_differs_from_the_stage() -> None:
    general = Limits(requests_per_minute=60, usd_per_day=5)
    entry = {"key_sha256": [A], "limits": {"requests_per_minute": 6}, "models": ["fast"], "operator": True, "cache": False}
    found = parse(json.dumps({"team": entry, "other": {"key_sha256": [B]}}), general)
    assert found[A] == Client("team", Limits(requests_per_minute=6, usd_per_day=5), ("fast",), operator=True, cache=False)
    assert found[B] == Client("other", general)


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ({"limit": {}}, "there is no member 'limit'"),
        ({"limits": {"streems": 1}}, "'streems' is no limit"),
        ({"limits": {"streams": -1}}, "streams must be a whole number"),
        ({"models": "fast"}, "models must be a list of names"),
        ({"operator": "yes"}, "operator must be true or false"),
    ],
)
def test_a_wrong_entry_is_named(entry: dict[str, object], named: str) -> None:
    with pytest.raises(SecretError) as refused:
        parse(json.dumps({"team": {"key_sha256": [A]} | entry}))
    assert str(refused.value).startswith("team: ")
    assert named in str(refused.value)


def test_nobody_is_allowed_yet() -> None:
    assert parse("{}") == {}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "object"),
        ("{", "JSON"),
        ('["team"]', "object"),
        ('{"a:b": {"key_sha256": []}}', "'a:b'"),
        ('{"": {"key_sha256": []}}', "''"),
        ('{"team": []}', "team"),
        ('{"team": {}}', "team"),
        ('{"team": {"key_sha256": "' + A + '"}}', "team"),
        ('{"team": {"key_sha256": ["gwk-a-key-itself"]}}', "team"),
        ('{"one": {"key_sha256": ["' + A + '"]}, "two": {"key_sha256": ["' + A + '"]}}', "two and one"),
    ],
)
def test_what_is_wrong_is_named_without_any_digest(text: str, named: str) -> None:
    with pytest.raises(SecretError) as caught:
        parse(text)
    assert named in str(caught.value)
    assert A not in str(caught.value)
    assert "gwk-a" not in str(caught.value)
