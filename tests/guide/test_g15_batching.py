"""G15: several prompts go in one request, up to twenty."""

from __future__ import annotations

import openai
import pytest

from tests.conftest import Stack

MODEL = "gpt-3.5-turbo-instruct"


def test_twenty_prompts_pass_and_twenty_one_do_not(local: Stack) -> None:
    with local.caller(models=[MODEL]) as client:
        answer = client.completions.create(model=MODEL, prompt=[f"Prompt {number}" for number in range(20)], max_tokens=8)
        assert sorted(choice.index for choice in answer.choices) == list(range(20))
        with pytest.raises(openai.BadRequestError) as refused:
            client.completions.create(model=MODEL, prompt=[f"Prompt {number}" for number in range(21)], max_tokens=8)
    assert refused.value.param == "prompt"
    assert "20" in refused.value.message


def test_embeddings_of_many_texts_come_in_one_call(local: Stack) -> None:
    with local.caller(models=["text-embedding-3-small"]) as client:
        answer = client.embeddings.create(model="text-embedding-3-small", input=["one", "two", "three"])
    assert [item.index for item in answer.data] == [0, 1, 2]
