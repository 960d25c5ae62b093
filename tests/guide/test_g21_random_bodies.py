"""G21: whatever arrives, the answer is one of OpenAI's shapes and never a failure of the gateway's own."""

from __future__ import annotations

import json
from typing import Any

import httpx2
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.conftest import Stack

PATHS = ("chat/completions", "responses", "completions", "embeddings", "moderations")
NAMES = ("model", "messages", "input", "prompt", "stream", "n", "max_tokens", "stop", "temperature", "metadata", "stream_options", "role",
         "content", "type", "text", "tools", "dimensions", "store", "user", "instructions", "best_of")  # fmt: skip
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20) | st.sampled_from(("fast", "user"))
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5), max_leaves=12
)
bodies = st.dictionaries(st.sampled_from(NAMES), values, max_size=8).map(lambda body: json.dumps({"model": "fast"} | body).encode())


@given(path=st.sampled_from(PATHS), body=bodies | st.binary(max_size=200))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_makes_the_gateway_fail(local: Stack, path: str, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {local.described['client_key']}", "Content-Type": "application/json"}
    answer = httpx2.post(f"{local.url}/v1/{path}", content=body, headers=headers, timeout=30)
    assert answer.status_code < 500, answer.text
    if answer.status_code != 200:
        error: dict[str, Any] = answer.json()["error"]
        assert error["message"]
        assert error["type"]
