"""G10: rate limits are understood and planned for: the gateway keeps its own over all tasks, and handles each kind of OpenAI's."""

from __future__ import annotations

import uuid

import openai
import pytest

from tests.conftest import Stack
from tests.infra.deployment import deploy

MODEL = "gpt-6.1-terra"


def ask(client: openai.OpenAI) -> str:
    question = [{"role": "user", "content": f"Hello {uuid.uuid4()}"}]
    return client.chat.completions.with_raw_response.create(model=MODEL, messages=question).headers["x-request-id"]  # type: ignore[arg-type]


def refusal(client: openai.OpenAI, within: int) -> openai.RateLimitError:
    for _ in range(within):
        try:
            ask(client)
        except openai.RateLimitError as error:
            return error
    raise AssertionError(f"none of {within} requests was refused")


def test_a_callers_limit_holds_over_all_tasks(local: Stack) -> None:
    with local.caller(limits={"requests_per_minute": 5}) as client:
        for _ in range(5):
            ask(client)
        refused = refusal(client, 4)  # a request comes back every twelve seconds
    assert refused.code == "rate_limit_exceeded"
    headers = refused.response.headers
    assert int(headers["retry-after"]) >= 1
    assert headers["x-ratelimit-limit-requests"] == "5"
    assert headers["x-ratelimit-remaining-requests"] == "0"


def test_a_rate_limit_of_openais_is_waited_for_as_long_as_it_says(local: Stack) -> None:
    local.fault(kind="rate_limit", times=1, retry_after_s=1)
    ask(local.client())


@pytest.mark.parametrize("kind", ["insufficient_quota", "organization_spend_limit", "project_spend_limit"])
def test_what_only_money_mends_is_never_tried_again(local: Stack, kind: str) -> None:
    before = len(local.upstream_requests())
    local.fault(kind=kind, times=1)
    with pytest.raises(openai.RateLimitError) as refused:
        ask(local.client())
    assert "rate_limit" not in str(refused.value.code)
    assert len(local.upstream_requests()) == before + 1


def test_a_stage_knows_openais_limits() -> None:
    for stage in ("staging", "prod"):
        assert int(deploy(stage).environment()["GATEWAY_STAGE_TOKENS_PER_MINUTE"]) > 0
