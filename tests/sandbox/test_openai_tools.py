"""Calls of tools and answers by a schema, as OpenAI's own client reads them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, Literal

import openai
import pytest
from openai.types.chat import ChatCompletionMessageFunctionToolCall
from pydantic import BaseModel

from sandbox.openai_server import OpenAIServer
from sandbox.openai_shapes import ApiError
from sandbox.openai_tools import example

MODEL, KEY = "gpt-5-mini", "sk-1"
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
TOOLS: Any = [{"type": "function", "function": {"name": name, "parameters": PARAMETERS}} for name in ("clock", "weather")]
ARGUMENTS = {"city": "text", "days": 1}


class Part(BaseModel):
    name: str
    unit: Literal["mm", "inch"]


class Order(BaseModel):
    parts: list[Part]
    price: float | None
    express: bool


@pytest.fixture
async def client() -> AsyncIterator[openai.AsyncOpenAI]:
    server = OpenAIServer({KEY}, token_delay_s=0)
    await server.start()
    async with openai.AsyncOpenAI(base_url=server.url, api_key=KEY, max_retries=0, _strict_response_validation=True) as client:
        yield client
    await server.stop()


def ask(text: str) -> Any:
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize(
    ("text", "choice", "called"),
    [
        ("how is the weather", "auto", "weather"),
        ("hello", "required", "clock"),
        ("hello", {"type": "function", "function": {"name": "weather"}}, "weather"),
        ("how is the weather", "none", None),
        ("hello", "auto", None),
    ],
)
async def test_a_tool_is_called_when_it_is_wanted(client: openai.AsyncOpenAI, text: str, choice: Any, called: str | None) -> None:
    answer = await client.chat.completions.create(model=MODEL, messages=ask(text), tools=TOOLS, tool_choice=choice)
    calls = answer.choices[0].message.tool_calls or []
    assert answer.choices[0].finish_reason == ("tool_calls" if called else "stop")
    if called:
        (call,) = calls
        assert isinstance(call, ChatCompletionMessageFunctionToolCall)
        assert (call.function.name, json.loads(call.function.arguments)) == (called, ARGUMENTS)
        done: Any = [*ask(text), answer.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
        again = await client.chat.completions.create(model=MODEL, messages=done, tools=TOOLS)
        assert again.choices[0].finish_reason == "stop"
        assert again.choices[0].message.content
    else:
        assert not calls


async def test_a_call_is_streamed(client: openai.AsyncOpenAI) -> None:
    async with client.chat.completions.stream(model=MODEL, messages=ask("how is the weather"), tools=TOOLS) as stream:
        final = await stream.get_final_completion()
    (call,) = final.choices[0].message.tool_calls or []
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", ARGUMENTS)


async def test_an_answer_keeps_its_schema(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.parse(model=MODEL, messages=ask("three screws"), response_format=Order)
    assert answer.choices[0].message.parsed == Order(parts=[Part(name="text", unit="mm")], price=1.5, express=True)
    plain = await client.chat.completions.create(model=MODEL, messages=ask("JSON"), response_format={"type": "json_object"})
    assert json.loads(plain.choices[0].message.content or "") == {}


def test_schemas_of_other_kinds() -> None:
    assert example({"type": ["null", "string"]}) is None
    assert example({"allOf": [{"const": 7}]}) == 7
    assert example({"type": "array"}) == ["text"]


@pytest.mark.parametrize(
    "schema", [{"type": "date"}, {"$ref": "#/$defs/none"}, {"$ref": "#/"}, {"anyOf": 1}, {"properties": []}, {"enum": []}]
)
def test_a_schema_that_cannot_be_read_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(ApiError):
        example(schema)


async def test_what_is_no_tool_is_none(client: openai.AsyncOpenAI) -> None:
    odd: Any = [{"tools": 1}, {"tools": [None, {"function": 1}]}, {"tool_choice": "required"}, {"response_format": 1}]
    for body in odd:
        answer = await client.chat.completions.create(model=MODEL, messages=ask("hello"), extra_body=body)
        assert answer.choices[0].finish_reason == "stop"
