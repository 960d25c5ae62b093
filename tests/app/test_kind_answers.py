"""What the answers to each kind of request say: what was used, and whether they are complete."""

from __future__ import annotations

import json

import pytest

from app.kind import hide_usage
from app.usage import Usage
from sandbox.openai_answers import ENDPOINTS, answer
from tests.app.asked import KINDS, MODELS, ask


def test_a_stream_is_made_to_say_what_it_used_and_the_caller_sees_only_what_he_asked_for() -> None:
    chat = KINDS["chat"]
    assert chat.counted(ask("chat", stream=True)) == {"stream_options": {"include_usage": True}}
    assert chat.counted(ask("chat", stream=True, stream_options={"x": 1})) == {"stream_options": {"x": 1, "include_usage": True}}
    assert chat.counted(ask("chat", stream=True, stream_options={"include_usage": True})) == {}
    assert chat.counted(ask("chat", stream=False)) == KINDS["responses"].counted(ask("responses", stream=True)) == {}
    plain, counted = (
        "".join(ENDPOINTS["chat/completions"](ask("chat", stream=True, **options))).encode()
        for options in ({}, {"stream_options": {"include_usage": True}})
    )
    kept = [json.loads(event[6:])["choices"] for event in hide_usage(counted).split(b"\n\n") if event.startswith(b"data: {")]
    assert kept == [json.loads(event[6:])["choices"] for event in plain.split(b"\n\n") if event.startswith(b"data: {")]
    assert hide_usage(counted).endswith(b"\n\ndata: [DONE]\n\n")
    assert hide_usage(plain) == plain
    fake = b'data: {"choices":[{"delta":{"content":"\\"choices\\":[]"}}],"usage":null}\n\n'
    assert hide_usage(fake) == fake


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", KINDS)
def test_usage_and_end_are_found_in_the_answers_of_the_stand_in(name: str, stream: bool) -> None:  # noqa: FBT001  a parameter
    kind = KINDS[name]
    request = ask(name, **({"stream": True} | kind.counted(ask(name, stream=True)) if stream and kind.streams else {}))
    reply = answer(kind.path[1:], request)
    expected = None if name == "moderations" else kind.prompt_tokens(request, MODELS[name])
    if isinstance(reply, dict):
        body = json.dumps(reply, indent=1).encode()
        assert kind.complete(body)
        used = kind.usage(body[-kind.tail_bytes :])
    else:
        *events, last = [event.encode() for event in reply]
        assert [kind.ending(event) for event in events] == [None] * len(events)
        assert kind.ending(last) is True
        used = kind.usage(b"".join([*events, last])[-kind.tail_bytes :])
    assert (used.prompt_tokens if used else None) == expected
    assert used is None or (used.completion_tokens > 0) is kind.streams


@pytest.mark.parametrize(
    ("kind", "tail", "usage"),
    [
        ("chat", b"", None), ("chat", b'{"usage": null}', None), ("chat", b'"usage": {', None),
        ("chat", b'"usage": {"prompt_tokens": "x"}', None),
        ("chat", b'"usage":{"prompt_tokens":7,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":5}}', Usage(7, 3, 5)),
        ("chat", b'"usage":{"prompt_tokens":7,"completion_tokens":3,"prompt_tokens_details":null}}', Usage(7, 3)),
        ("embeddings", b'"usage": {"prompt_tokens": 7, "total_tokens": 7}}', Usage(7, 0)),
        ("responses", b'"usage":{"input_tokens":7,"output_tokens":3,"input_tokens_details":{"cached_tokens":2}}}', Usage(7, 3, 2)),
        ("responses", b'"usage":{"input_tokens":7,"output_tokens":3},"metadata":{"usage":"{"}}', Usage(7, 3)),
        ("responses", b'"schema":{"usage":{"type":"object"}},"usage":null', None),
        ("chat", json.dumps({"content": '"usage":{"prompt_tokens":1,"completion_tokens":1}'}).encode(), None),
    ],
)  # fmt: skip
def test_usage_in_other_ends(kind: str, tail: bytes, usage: Usage | None) -> None:
    assert KINDS[kind].usage(tail) == usage


def test_a_response_that_failed_is_not_complete_and_a_long_one_ends_all_the_same() -> None:
    kind = KINDS["responses"]
    assert kind.ending(b'event: response.failed\ndata: {"type":"response.failed","response":{}}\n\n') is False
    assert kind.ending(b'data: {"type":"response.incomplete"}\n\n') is True
    assert kind.ending(b'... long","usage":{"input_tokens":1,"output_tokens":1}}}\n\n') is True
    assert not kind.complete(b'{"id":"resp_1","object":"response","status":"failed"}')
    assert not any(kind.complete(b'{"id": "resp_1", "sta') for kind in KINDS.values())
