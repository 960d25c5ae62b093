"""How many tokens a text is, counted exactly and offline, and how many an image, a sound or a file is estimated to be."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import toktok

from app.model import IMAGE_TOKENS

LOW_DETAIL_TOKENS = 85
SOUND_BYTES_A_TOKEN = 800
"""Base64 of a compressed sound: ten tokens a second at 64 kbit/s. What is not compressed is estimated too high."""
FILE_BYTES_A_TOKEN = 16
REFERENCE_TOKENS = 2000
"""A file that is named, not sent: nothing is known of its size."""
_SHARES = 32
"""By how many the memory for caches is divided."""


@cache
def _counter(encoding: str) -> Callable[[str], int]:
    """The tokenizer; the first use of an encoding takes a third of a second and some 50 MB.

    The first text of a thread gets a cache of words, of 16 MB but where many threads share the work: then it has 1 MB, which later texts
    find and keep to, and which is as fast for prompts.
    """
    toktok.batch_count(("a",) * _SHARES, encoding, threads=_SHARES)
    count: Callable[[str], int] = toktok._encoding(encoding).count  # noqa: SLF001  `batch_count` takes 13 us longer, for a thread of its own
    return count


def load(encodings: Iterable[str]) -> None:
    """Load tokenizers before the first request needs them."""
    for encoding in encodings:
        _counter(encoding)


def count(texts: Iterable[str], encoding: str) -> int:
    """The tokens of all the texts together, each counted on its own."""
    counter = _counter(encoding)
    try:
        return sum(map(counter, texts))
    except UnicodeEncodeError:  # half of a surrogate pair, as only JSON's \u can write it
        return sum(counter(text.encode(errors="replace").decode()) for text in texts)


def of_image(part: dict[str, Any], image_tokens: int) -> int:
    """An image in a chat's or a response's input: its size is not looked at, so this is what a large one is."""
    image = part.get("image_url")
    low = (image if isinstance(image, dict) else part).get("detail") == "low"
    return LOW_DETAIL_TOKENS if low and image_tokens <= IMAGE_TOKENS else image_tokens  # other models have no fixed price for it


def of_data(data: object, bytes_a_token: int) -> int:
    """Base64 of a sound or a file, or the name of one."""
    return len(data) // bytes_a_token + 1 if isinstance(data, str) and data else REFERENCE_TOKENS
