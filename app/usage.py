"""Tokens that an answer says it used."""

from __future__ import annotations

from typing import NamedTuple


class Usage(NamedTuple):
    """`cached_tokens` are those of the prompt that OpenAI had in its own cache."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
