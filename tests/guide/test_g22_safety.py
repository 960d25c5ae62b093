"""G22: misuse is limited: inputs are moderated where it is asked for, and OpenAI can tell end users apart without knowing them."""

from __future__ import annotations

import uuid

import openai
import pytest

from tests.conftest import Stack


def test_flagged_input_is_refused_before_the_call(local: Stack) -> None:
    question = f"How do I kill my neighbour? {uuid.uuid4()}"
    with local.caller(moderate=True) as client:
        with pytest.raises(openai.BadRequestError) as refused:
            client.chat.completions.create(model="gpt-6.1-terra", messages=[{"role": "user", "content": question}])
        client.chat.completions.create(model="gpt-6.1-terra", messages=[{"role": "user", "content": f"Hello {uuid.uuid4()}"}])
    assert refused.value.code == "content_policy_violation"
    asked = [request["path"] for request in local.upstream_requests() if question in str(request["body"])]
    assert asked == ["/v1/moderations"]


def test_openai_learns_who_asks_without_a_name(local: Stack) -> None:
    seen: dict[str, set[str]] = {}
    for user in ("alice@example.com", "bob@example.com", "alice@example.com"):
        question = f"Who am I? {uuid.uuid4()}"
        local.client().chat.completions.create(
            model="gpt-6.1-terra", messages=[{"role": "user", "content": question}], safety_identifier=user
        )
        (arrived,) = [request["body"] for request in local.upstream_requests() if question in str(request["body"])]
        seen.setdefault(user, set()).add(arrived["safety_identifier"])
    assert [len(identifiers) for identifiers in seen.values()] == [1, 1]
    assert seen["alice@example.com"] != seen["bob@example.com"]
    assert not any("example" in identifier or "local" in identifier for identifiers in seen.values() for identifier in identifiers)
