"""Requests of each kind, for these tests."""

from __future__ import annotations

from typing import Any

from app.catalog import Catalog
from app.kinds import build

KINDS = {kind.name: kind for kind in build(max_choices=4, max_output_tokens=1000).values()}
CATALOG = Catalog.load()
MODELS = {
    name: CATALOG.resolve(model, (model,), name)
    for name, model in [
        ("chat", "gpt-5-mini"), ("responses", "gpt-5-mini"), ("completions", "gpt-3.5-turbo-instruct"),
        ("embeddings", "text-embedding-3-small"), ("moderations", "omni-moderation-latest"),
    ]
}  # fmt: skip
HI: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]
SMALLEST: dict[str, dict[str, Any]] = {
    "chat": {"messages": HI}, "responses": {"input": "hi"}, "completions": {"prompt": "hi"}, "embeddings": {"input": "hi"},
    "moderations": {"input": "hi"},
}  # fmt: skip


def ask(kind: str, **members: Any) -> dict[str, Any]:
    return {"model": MODELS[kind].name} | SMALLEST[kind] | members
