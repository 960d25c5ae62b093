"""G16, G23: usage and cost are tracked by day, client, model and product feature, as they arise."""

from __future__ import annotations

import uuid
from typing import Any

import httpx2
import pytest

from tests.conftest import Stack


def usage(stack: Stack, key: str, **query: str) -> dict[str, Any]:
    answer = httpx2.get(f"{stack.url}/usage", params=query, headers={"Authorization": f"Bearer {key}", "Accept": "application/json"})
    answer.raise_for_status()
    return dict(answer.json())


def test_what_a_product_feature_costs_is_known(local: Stack) -> None:
    with local.caller() as client:
        question: Any = [{"role": "user", "content": f"Summarize {uuid.uuid4()}"}]
        states: list[str] = []

        def ask() -> str:
            answer = client.chat.completions.with_raw_response.create(
                model="gpt-6.1-terra", messages=question, metadata={"feature": "summaries"}
            )
            states.append(answer.headers["x-cache"])
            return states[-1]

        assert ask() == "miss"
        local.until_kept(ask)

        def counted() -> None:
            (row,) = usage(local, client.api_key, group="feature,model")["data"]
            assert (row["feature"], row["model"], row["requests"], row["hits"]) == ("summaries", "gpt-6.1-terra", len(states), 1)
            assert row["cost_usd"] == pytest.approx(row["saved_usd"] * (len(states) - 1))
            assert row["cost_usd"] > 0

        local.until(counted, 10)


def test_a_caller_sees_its_own_usage_and_an_operator_everybodys(local: Stack) -> None:
    with local.caller() as client:
        refused = httpx2.get(f"{local.url}/usage?client=local", headers={"Authorization": f"Bearer {client.api_key}"})
        assert refused.status_code == 403
    with local.caller(operator=True) as operator:
        assert usage(local, operator.api_key, group="client")["scope"] == "operator"
