from __future__ import annotations

import hashlib

import pytest

from app.clients import new_key, parse
from app.secret import SecretError

A, B = "a" * 64, "b" * 64


def test_new_key_is_long_random_and_known_by_its_digest_alone() -> None:
    (key, digest), (other, _) = new_key(), new_key()
    assert key.startswith("gwk-")
    assert len(key) == len("gwk-") + 43  # 256 bits in base64
    assert key != other
    assert digest == hashlib.sha256(key.encode()).hexdigest()


def test_a_caller_may_have_two_keys_while_one_replaces_the_other() -> None:
    found = parse(f'{{"team": {{"key_sha256": ["{A}", "{B}"], "later": 1}}, "idle": {{"key_sha256": []}}}}')
    assert {digest: client.name for digest, client in found.items()} == {A: "team", B: "team"}


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
