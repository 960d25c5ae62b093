"""What is taken out of texts, what is not, and that log lines have gone through it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from app import log
from app.redact import redact, redact_request, suspicious

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP-mB92K27"
SECRETS = {
    "bob.smith+lists@mail.example.co.uk": "[email]",
    "jürgen@müller.de": "[email]",
    "+1 (415) 555-2671": "[phone]",
    "415-555-2671": "[phone]",
    "(415) 555-2671": "[phone]",
    "4155552671": "[phone]",
    "+49 30 1234567": "[phone]",
    "4111 1111 1111 1111": "[card]",
    "5500-0000-0000-0004": "[card]",
    "378282246310005": "[card]",
    "sk-proj-abcDEF123456_-7890": "[key]",
    "gwk-4fO2kq0c9b3aB1x7Zz-_": "[key]",
    "AKIAIOSFODNN7EXAMPLE": "[key]",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789": "[key]",
    "github_pat_11ABCDEFG0abcdefghijkl_mnop": "[key]",
    "xoxb-123456789012-abcdefGHIJ": "[key]",
    "AIza" + "SyA1234567890abcdefghijklmnopqrstu": "[key]",
    JWT: "[key]",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow+/=\n-----END RSA PRIVATE KEY-----": "[key]",
}
HARMLESS = [
    "The check-in at 10:30 on 2026-11-23 took 12 of 24 MB.",
    "req_0123456789abcdef0123456789abcdef",
    "00000000-0000-4000-8000-000000000000",
    "1764000000000 and 1764000000.123 and 3.14159265358979",
    "4111111111111112",
    "sk-short, a risk-free task, eyJ, AKIA, @home, me@localhost",
    "192.168.100.200 v10.12.2026",
    "1e8a3c5d-1234-4567-8901-23456789abcd",
]


@pytest.mark.parametrize(("secret", "mark"), SECRETS.items())
@pytest.mark.parametrize("around", ["{}", "see {}.", '{{"a": "{}"}}', "a={}, b", "<{}>", "\n{}\n"])
def test_is_taken_out(secret: str, mark: str, around: str) -> None:
    assert redact(around.format(secret)) == around.format(mark)


@pytest.mark.parametrize("text", HARMLESS)
def test_is_left(text: str) -> None:
    assert redact(text) is text


@given(st.lists(st.one_of(st.text(), st.sampled_from([*SECRETS, *HARMLESS]))).map(" ".join))
def test_what_is_not_suspicious_holds_nothing_and_twice_is_as_once(text: str) -> None:
    once = redact(text)
    assert suspicious(text) or once is text
    assert redact(once) == once


@given(st.text(), st.sampled_from(list(SECRETS)), st.text())
def test_a_secret_between_spaces_never_stays(before: str, secret: str, after: str) -> None:
    assert secret not in redact(f"{before} ; {secret} ; {after}")


@pytest.mark.parametrize(
    "part", ["eyJ", "eyJaaaaaaaa.", "a@", "a@a.a.", "1-", "1.1.", "+1 ", "4 1 1", "sk-", "-----BEGIN PRIVATE KEY-----", "a", "(415) "]
)
def test_no_text_makes_it_slow(part: str) -> None:
    redact(part * (400_000 // len(part)))  # were it quadratic, this would take hours


def test_request() -> None:
    request: dict[str, Any] = {
        "model": "gpt-5-mini",
        "user": "bob@example.com",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [{"type": "text", "text": "I am bob@example.com"}, {"type": "image_url", "image_url": {"url": "data:a@b.co"}}],
            },
            {"role": "assistant", "tool_calls": [{"id": "call_4155552671", "function": {"name": "f", "arguments": '{"to": "a@b.co"}'}}]},
        ],
        "prompt": {"id": "pmpt_1", "variables": {"name": "a@b.co"}},
        "input": ["a@b.co", [1, 2, 3], 4155552671],
        "tools": [{"type": "function", "function": {"name": "f", "description": "mail to a@b.co"}}],
    }
    before = copy.deepcopy(request)
    redacted = redact_request(request)
    assert request == before
    assert redacted["messages"][1]["content"][0]["text"] == "I am [email]"
    assert redacted["messages"][2]["tool_calls"][0]["function"]["arguments"] == '{"to": "[email]"}'
    assert redacted["prompt"] == {"id": "pmpt_1", "variables": {"name": "[email]"}}
    assert redacted["input"] == ["[email]", [1, 2, 3], 4155552671]
    for path in ("model", "user", "tools"):
        assert redacted[path] is request[path]
    assert redacted["messages"][0] is request["messages"][0]
    assert redacted["messages"][1]["content"][1] is request["messages"][1]["content"][1]
    assert redacted["messages"][2]["tool_calls"][0]["id"] == "call_4155552671"


def test_request_with_nothing_to_take_out_stays_the_same_object() -> None:
    request = {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}], "n": 1, "metadata": {"to": "a@b.co"}}
    assert redact_request(request) is request


def test_log_lines_are_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    log.info("request", path=f"/v1/models/{JWT}", client="web", error=None, status=404, who="a@b.co", nested=["x"])
    line = json.loads(capsys.readouterr().out)
    assert (line["path"], line["who"]) == ("/v1/models/[key]", "[email]")
    assert (line["client"], line["status"], line["nested"]) == ("web", 404, ["x"])
    assert "error" not in line
