"""Counting tokens, exactly and offline."""

from __future__ import annotations

import toktok
from hypothesis import given, strategies as st

from app import tokens
from app.model import IMAGE_TOKENS

O200K = "o200k_base"


def test_known_counts() -> None:
    assert tokens.count(["hello world"], O200K) == 2
    assert tokens.count(["hello world", "hello world"], "cl100k_base") == 4
    assert tokens.count([], O200K) == 0
    assert tokens.count(["", "<|endoftext|>"], O200K) == 7  # text of a caller's is text, whatever it looks like


@given(st.lists(st.text(max_size=200), max_size=5))
def test_the_short_way_counts_what_the_public_one_does(texts: list[str]) -> None:
    assert tokens.count(texts, O200K) == sum(toktok.batch_count(texts, O200K, threads=1))


def test_half_a_surrogate_pair_counts_as_something() -> None:
    assert tokens.count(["a\ud800b", "c"], O200K) >= 3


def test_images_sounds_and_files_are_estimated() -> None:
    assert tokens.of_image({"image_url": {"url": "https://x/y.png", "detail": "low"}}, IMAGE_TOKENS) == tokens.LOW_DETAIL_TOKENS
    assert tokens.of_image({"image_url": {"url": "https://x/y.png"}}, IMAGE_TOKENS) == IMAGE_TOKENS
    assert tokens.of_image({"image_url": "https://x/y.png", "detail": "low"}, 3800) == 3800
    assert tokens.of_data("x" * 8000, tokens.SOUND_BYTES_A_TOKEN) == 11
    assert tokens.of_data(None, tokens.FILE_BYTES_A_TOKEN) == tokens.REFERENCE_TOKENS
