from __future__ import annotations

import json

import pytest

from app.usage import find_usage
from tests.app.stand_in import ENDING, completion

USAGE = b'"usage": {"prompt_tokens": 7, "completion_tokens": 3, "completion_tokens_details": {"reasoning_tokens": 1}}'


@pytest.mark.parametrize("tail", [completion("x"), ENDING, b"{" + USAGE + b"}", b'{"usage": null, ' + USAGE + b"}"])
def test_usage_is_found(tail: bytes) -> None:
    assert find_usage(tail) == (7, 3)


@pytest.mark.parametrize(
    "tail", [b"", b'{"usage": null}', b'"usage": {', b'"usage": {"prompt_tokens": "many"}', b'"usage": {"prompt_tokens": 7}']
)
def test_no_usage_is_none(tail: bytes) -> None:
    assert find_usage(tail) is None


def test_answer_cannot_pretend_to_be_its_own_usage() -> None:
    text = '"usage": {"prompt_tokens": 1, "completion_tokens": 1}'
    assert find_usage(json.dumps({"content": text}).encode()) is None
    assert find_usage(completion(text)) == (7, 3)
