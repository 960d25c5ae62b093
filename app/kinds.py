"""The kinds of requests that the gateway answers."""

from __future__ import annotations

from app.kind import Kind
from app.kind_chat import Chat
from app.kind_responses import Responses
from app.kind_texts import Completions, Embeddings, Moderations

KINDS: tuple[type[Kind], ...] = (Chat, Responses, Completions, Embeddings, Moderations)


def build(max_choices: int, max_output_tokens: int) -> dict[str, Kind]:
    """One of each, by the path after `/v1`; the two limits are those that `check` refuses by."""
    return {kind.path: kind(max_choices, max_output_tokens) for kind in KINDS}
