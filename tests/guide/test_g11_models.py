"""G11: stronger models are slower: each use takes the one that fits, by a name that says why, and another stands in when it fails."""

from __future__ import annotations

import uuid
from typing import Any

import openai
import pytest

from tests.conftest import Stack


def test_aliases_stand_for_the_stages_models(local: Stack) -> None:
    listed = {model.id for model in local.client().models.list()}
    assert {"fast", "smart", "gpt-6.1-terra"} <= listed
    question: Any = [{"role": "user", "content": f"Quick {uuid.uuid4()}"}]
    answered = {alias: local.client().chat.completions.create(model=alias, messages=question).model for alias in ("fast", "smart")}
    assert answered == {"fast": "gpt-6-luna", "smart": "gpt-6.1-terra"}


def test_a_caller_gets_only_its_own_models(local: Stack) -> None:
    with local.caller(models=["gpt-6-luna"]) as client:
        with pytest.raises(openai.NotFoundError) as refused:
            client.chat.completions.create(model="gpt-6.1-terra", messages=[{"role": "user", "content": "Hello"}])
        assert refused.value.code == "model_not_found"
        assert "gpt-6.1-terra" not in {model.id for model in client.models.list()}


def test_a_cheaper_model_stands_in_when_one_keeps_failing(local: Stack) -> None:
    local.fault(kind="server_error", times=2, model="gpt-6.1-terra")
    question: Any = [{"role": "user", "content": f"Still there? {uuid.uuid4()}"}]
    answer = local.client().chat.completions.with_raw_response.create(model="gpt-6.1-terra", messages=question)
    assert answer.headers["x-gateway-fallback"] == "gpt-6.1-terra"
    assert answer.headers["x-gateway-model"] == answer.parse().model == "gpt-6-luna"
