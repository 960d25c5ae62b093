"""The kinds of requests: what is refused, and what the others will use."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from app.errors import InvalidRequestError
from app.kind import Kind
from sandbox.openai_shapes import conversation_tokens, tokens
from tests.app.asked import CATALOG, HI, KINDS, MODELS, ask


def expect(kind: str, request: dict[str, Any], param: str, *words: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        KINDS[kind].check(request)
    assert (caught.value.status, caught.value.param) == (400, param)
    for word in words:
        assert word in caught.value.message


def read(kind: str, request: dict[str, Any]) -> int:
    KINDS[kind].check(request)
    return KINDS[kind].prompt_tokens(request, MODELS[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_members_that_nobody_knows_pass(kind: str) -> None:
    KINDS[kind].check(ask(kind, tools=[{"type": "new"}], metadata={"a": "b"}, future={"x": [1]}, stop=["a"], audio={"voice": "alloy"}))


@pytest.mark.parametrize(
    ("kind", "members", "param"),
    [
        ("chat", {"model": 5}, "model"), ("chat", {"messages": None}, "messages"), ("chat", {"messages": []}, "messages"),
        ("chat", {"messages": ["hi"]}, "messages[0]"), ("chat", {"messages": [*HI, {}]}, "messages[1].role"),
        ("chat", {"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ("chat", {"messages": [{"role": "user", "content": ["a"]}]}, "messages[0].content"),
        ("chat", {"stream": 1}, "stream"), ("chat", {"store": "no"}, "store"), ("chat", {"n": True}, "n"), ("chat", {"n": 0}, "n"),
        ("chat", {"max_tokens": "1"}, "max_tokens"), ("chat", {"max_completion_tokens": 1001}, "max_completion_tokens"),
        ("chat", {"temperature": "hot"}, "temperature"), ("chat", {"stream_options": []}, "stream_options"),
        ("responses", {"input": None}, "input"), ("responses", {"input": []}, "input"), ("responses", {"input": [5]}, "input[0]"),
        ("responses", {"input": [{"role": 5}]}, "input[0].role"), ("responses", {"background": True}, "background"),
        ("responses", {"max_output_tokens": 1001}, "max_output_tokens"), ("responses", {"instructions": 5}, "instructions"),
        ("completions", {"prompt": None}, "prompt"), ("completions", {"prompt": []}, "prompt"),
        ("completions", {"prompt": [5, "a"]}, "prompt"),
        ("completions", {"prompt": ["a", 5]}, "prompt"), ("completions", {"prompt": [[1], []]}, "prompt"),
        ("completions", {"prompt": [{}]}, "prompt"), ("completions", {"best_of": 2.0}, "best_of"),
        ("embeddings", {"input": {}}, "input"), ("embeddings", {"input": ["a"] * 2049}, "input"),
        ("embeddings", {"dimensions": "3"}, "dimensions"),
        ("moderations", {"input": 5}, "input"), ("moderations", {"input": ["a", {}]}, "input"), ("moderations", {"model": ""}, "model"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(kind: str, members: dict[str, Any], param: str) -> None:
    expect(kind, ask(kind, **members), param)


def test_twenty_prompts_pass_and_twenty_one_do_not() -> None:
    KINDS["completions"].check(ask("completions", prompt=["a"] * 20))
    KINDS["completions"].check(ask("completions", prompt=[[1, 2]] * 20))
    KINDS["completions"].check(ask("completions", prompt=[1] * 21))
    expect("completions", ask("completions", prompt=["a"] * 21), "prompt", "20", "21")
    expect("completions", ask("completions", prompt=[[1]] * 21), "prompt", "20", "21")


def test_too_many_choices_are_refused_with_both_names() -> None:
    KINDS["chat"].check(ask("chat", n=4))
    expect("chat", ask("chat", n=5), "n", "5", "4", "n or best_of")
    expect("completions", ask("completions", n=2, best_of=9), "best_of", "9", "4", "n or best_of")


def test_a_moderation_needs_no_model() -> None:
    KINDS["moderations"].check({"input": "hi"})
    assert KINDS["moderations"].model == "omni-moderation-latest"


TALK: list[dict[str, Any]] = [
    {"role": "developer", "content": "Answer briefly, please."},
    {"role": "user", "content": "Wie heißt der höchste Berg der Erde? 🏔", "name": "ana"},
    {"role": "assistant", "content": None},
    {"role": "user", "content": [{"type": "text", "text": "And the second?"}]},
]


def test_text_is_counted_exactly() -> None:
    assert read("chat", ask("chat", messages=TALK)) == conversation_tokens(TALK, "gpt-5-mini")
    assert read("responses", ask("responses", input=TALK)) == conversation_tokens(TALK, "gpt-5-mini")
    said = [{"role": "developer", "content": "Be brief."}, *HI]
    assert read("responses", ask("responses", instructions="Be brief.")) == conversation_tokens(said, "gpt-5-mini")
    for kind, name in (("completions", "prompt"), ("embeddings", "input"), ("moderations", "input")):
        one, two = "One fine day", "zwei schöne Tage"
        assert read(kind, ask(kind, **{name: [one, two]})) == sum(tokens(text, MODELS[kind].name) for text in (one, two))
        assert read(kind, ask(kind, **{name: one})) == tokens(one, MODELS[kind].name)
    assert read("embeddings", ask("embeddings", input=[1, 2, 3])) == 3
    assert read("completions", ask("completions", prompt=[[1, 2, 3], [4]])) == 4


def test_what_is_no_text_is_estimated() -> None:
    plain = read("chat", ask("chat"))
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    sound = {"type": "input_audio", "input_audio": {"data": "A" * 80_000, "format": "mp3"}}
    file = {"type": "file", "file": {"file_data": "A" * 16_000}}
    for part, least, most in ((image, 2000, 4000), (sound, 90, 110), (file, 990, 1010), ({"type": ["odd"]}, 0, 20)):
        assert least < read("chat", ask("chat", messages=[{"role": "user", "content": [part]}])) - plain < most
    tool = {
        "type": "function",
        "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
    }
    assert 10 < read("chat", ask("chat", tools=[tool])) - plain < 60
    call = {"id": "1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
    assert read("chat", ask("chat", messages=[*HI, {"role": "assistant", "tool_calls": [call]}])) > plain + 10


def output(kind: str, default: int = 100, maximum: int = 1000, **members: Any) -> tuple[int, int, dict[str, int]]:
    request = ask(kind, **members)
    limit = KINDS[kind].output_limit(request, MODELS[kind], default, maximum)
    return limit, KINDS[kind].output_tokens(request, MODELS[kind], default, maximum), KINDS[kind].limited(request, limit)


def test_output_is_max_tokens_times_choices_times_prompts() -> None:
    assert output("chat") == (100, 100, {"max_completion_tokens": 100})
    assert output("chat", max_tokens=50, n=3) == (50, 150, {})
    assert output("chat", max_tokens=500, maximum=200) == (200, 200, {"max_tokens": 200})
    assert output("chat", max_completion_tokens=None, max_tokens=None) == (100, 100, {"max_completion_tokens": 100})
    assert output("responses", max_output_tokens=60, n="odd") == (60, 60, {})
    assert output("completions", prompt=["a", "b"], max_tokens=10, n=2, best_of=3) == (10, 60, {})
    assert output("completions", prompt=[1, 2, 3]) == (16, 16, {"max_tokens": 16})
    assert output("completions", max_tokens=9000, maximum=9000)[0] == MODELS["completions"].max_output_tokens
    assert output("embeddings")[1:] == (0, {})
    assert output("moderations")[1:] == (0, {})


def test_texts_are_all_that_somebody_wrote() -> None:
    assert KINDS["chat"].texts(ask("chat", messages=TALK)) == [TALK[0]["content"], TALK[1]["content"], "And the second?"]
    tool = {"type": "function_call_output", "call_id": "1", "output": "18 degrees"}
    assert KINDS["responses"].texts(ask("responses", instructions="a", input=[*HI, tool])) == ["a", "hi", "18 degrees"]
    assert KINDS["completions"].texts(ask("completions", prompt=["a", "b"], suffix="c")) == ["a", "b", "c"]
    assert KINDS["embeddings"].texts(ask("embeddings", input=[[1, 2]])) == []
    assert KINDS["moderations"].texts(ask("moderations", input=[{"type": "text", "text": "a"}, {"type": "image_url"}])) == ["a"]


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4) | st.just("text"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "image_url", "input_audio", "file", "name"]), inner, max_size=4
        )
    ),
    max_leaves=10,
)
MEMBERS = [
    "messages", "input", "prompt", "suffix", "n", "best_of", "max_tokens", "max_completion_tokens", "max_output_tokens", "stream",
    "stream_options", "tools", "text", "instructions", "response_format", "functions", "conversation", "dimensions", "service_tier",
]  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
@given(st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=6), st.booleans())
def test_a_request_is_refused_or_can_be_worked_with(name: str, members: dict[str, Any], smallest: bool) -> None:  # noqa: FBT001  drawn
    kind: Kind = KINDS[name]
    model = MODELS[name]
    request = (ask(name) if smallest else {"model": model.name}) | members
    try:
        kind.check(request)
    except InvalidRequestError:
        return
    assert kind.prompt_tokens(request, model) >= 0
    assert kind.output_tokens(request, model, 100, 1000) <= 1000 * 4 * 20
    assert all(isinstance(text, str) for text in kind.texts(request))
    changes = kind.counted(request) | kind.limited(request, kind.output_limit(request, model, 100, 1000))
    assert json.loads(kind.rewrite(json.dumps(request).encode(), request, **changes)) == request | changes
    CATALOG.reserve_nanousd(model, 1, 1, request.get("service_tier"))
