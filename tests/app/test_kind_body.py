"""Bodies: read strictly, and sent on with as few changed bytes as can be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from app.errors import InvalidRequestError
from app.kind_body import MAX_DEPTH, parse, rewrite


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"5", b"\xff\xfe{}", b"\xef\xbb\xbf{}", b"[" * 100_000, b'{"a": NaN}', b'{"a": 1e999}',
        b'{"n": ' + b"9" * 5000 + b"}", b'{"a":1,"a":2}', b'{"a":{"b":1,"b":2}}', b'{"a":' * 65 + b"1" + b"}" * 65,
        b'{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}",
    ],
    ids=lambda body: str(body[:20]),
)  # fmt: skip
def test_what_is_not_one_plain_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse(body)
    assert caught.value.code == "invalid_json"


def test_depth_up_to_the_limit_passes() -> None:
    deep = b'{"a":' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}"
    assert list(parse(deep)) == ["a"]
    assert len(parse(b'{"a":[' + b"[1],[2]," * 5000 + b"[3]]}")["a"]) == 10_001


def test_new_members_stand_in_front_and_nothing_else_changes() -> None:
    body = b' {"model":"m",\n "future": [1.50], "t": "\\u00e9 \xc3\xa9"}'
    assert rewrite(body, parse(body), {"store": False, "user": "é"}) == body.replace(b"{", '{"store":false,"user":"é",'.encode(), 1)
    assert rewrite(body, parse(body), {"model": "m"}) == body
    assert rewrite(body, parse(body), {}) == body
    assert rewrite(b"{}", {}, {"a": 1}) == b'{"a":1}'


def test_a_plain_member_is_replaced_where_it_stands() -> None:
    body = b'{"max_tokens" : 100, "stop":null,"model":"fa\\"st" , "messages":[{"content":"say \\"model\\": \\"x\\""}]}'
    changed = rewrite(body, parse(body), {"model": "gpt-5-nano", "max_tokens": 5, "stop": "a"})
    assert changed == body.replace(b'"fa\\"st"', b'"gpt-5-nano"').replace(b"100", b"5").replace(b"null", b'"a"')


@pytest.mark.parametrize(
    "body",
    [
        b'{"x":{"model":"dear"},"model":"dear"}',
        b'{"model":"dear","x":["model"]}',
        b'{"mod\\u0065l":"dear","x":{"model":"dear"}}',
        b'{"mod\\u0065l":"dear"}',
        b'{"foo\\"model":"x","mod\\u0065l":"dear"}',
        b'{"model":["dear"]}',
        b'{"model":{"dear":"model"}}',
    ],
)
def test_a_member_that_could_be_meant_twice_is_replaced_all_the_same(body: bytes) -> None:
    request = parse(body)
    assert json.loads(rewrite(body, request, {"model": "cheap"})) == request | {"model": "cheap"}


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=8) | st.sampled_from(["model", '"model":"x"', "\\"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["model", "n", "x", 'x"model', "\\"]), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(["model", "n", "x", 'x"model', "messages"]), JSON, max_size=5),
    st.dictionaries(st.sampled_from(["model", "n", "store"]), st.booleans() | st.integers() | st.text(max_size=5), max_size=3),
    st.booleans(),
    st.sampled_from([None, 1]),
)
def test_whatever_way_it_is_done_the_result_is_the_request_with_the_changes(
    request_: dict[str, Any],
    changes: dict[str, Any],
    ascii_: bool,  # noqa: FBT001  drawn
    indent: int | None,
) -> None:
    body = json.dumps(request_, ensure_ascii=ascii_, indent=indent).encode(errors="surrogatepass")
    assert parse(rewrite(body, parse(body), changes)) == request_ | changes
