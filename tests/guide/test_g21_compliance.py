"""G21: data is encrypted, kept no longer than said, not stored by OpenAI unless asked, and checked before it is used."""

from __future__ import annotations

import uuid

import openai
import pytest

from tests.conftest import Stack


def test_openai_is_told_to_store_nothing_unless_the_caller_wants_it(local: Stack) -> None:
    for wanted in (None, True):
        question = f"Keep this? {uuid.uuid4()}"
        options = {} if wanted is None else {"store": wanted}
        local.client().chat.completions.create(  # type: ignore[call-overload]
            model="gpt-6.1-terra", messages=[{"role": "user", "content": question}], **options
        )
        (arrived,) = [request["body"] for request in local.upstream_requests() if question in str(request["body"])]
        assert arrived["store"] is bool(wanted)


@pytest.mark.parametrize(
    "body",
    [{"messages": []}, {"messages": "hi"}, {"messages": [{"role": 1}]}, {"messages": [{"role": "user", "content": "x"}], "stream": "yes"}],
)
def test_bad_input_is_refused_by_name_and_reaches_nobody(local: Stack, body: dict[str, object]) -> None:
    before = len(local.upstream_requests())
    with pytest.raises(openai.BadRequestError) as refused:
        local.client().post("/chat/completions", body={"model": "gpt-6.1-terra"} | body, cast_to=object)
    assert refused.value.param
    assert len(local.upstream_requests()) == before
