"""G19: tokens are counted before a request exactly as OpenAI counts them after it."""

from __future__ import annotations

import pytest

from app.catalog import Catalog
from app.kinds import build
from tests.conftest import Stack


@pytest.mark.parametrize("text", ["Hello", "Grüße aus Zürich", "def f(x):\n    return x * 2\n", "日本語のテキスト", "🙂" * 20])
def test_the_count_before_is_the_count_after(local: Stack, text: str) -> None:
    request = {"model": "gpt-6.1-terra", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]}
    kind = build(4, 4096)["/chat/completions"]
    counted = kind.prompt_tokens(request, Catalog.load().resolve("gpt-6.1-terra", ("gpt-6.1-terra",)))
    answer = local.client().chat.completions.create(**request)  # type: ignore[call-overload]
    assert counted == answer.usage.prompt_tokens
