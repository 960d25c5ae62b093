"""G12: fewer output tokens are faster: there is a default and a maximum, stop sequences pass, n and best_of are capped."""

from __future__ import annotations

import uuid

import openai
import pytest

from tests.conftest import Stack


def test_a_request_without_a_limit_gets_the_stages_default(local: Stack) -> None:
    question = f"How long? {uuid.uuid4()}"
    local.client().chat.completions.create(model="gpt-6.1-terra", messages=[{"role": "user", "content": question}])
    (arrived,) = [request["body"] for request in local.upstream_requests() if question in str(request["body"])]
    assert arrived["max_completion_tokens"] == 4096


def test_stop_and_a_limit_of_the_callers_own_pass(local: Stack) -> None:
    answer = local.client().chat.completions.create(
        model="gpt-6.1-terra", messages=[{"role": "user", "content": f"Short {uuid.uuid4()}"}], max_completion_tokens=3, stop=["never"]
    )
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage
    assert answer.usage.completion_tokens == 3


@pytest.mark.parametrize(("options", "named"), [({"max_completion_tokens": 10**6}, "max_completion_tokens"), ({"n": 50}, "n")])
def test_more_than_the_stage_allows_is_refused_by_name(local: Stack, options: dict[str, int], named: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        local.client().chat.completions.create(  # type: ignore[call-overload]
            model="gpt-6.1-terra", messages=[{"role": "user", "content": "Long"}], **options
        )
    assert refused.value.param == named
