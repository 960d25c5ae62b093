"""Retry budget, breaker and pauses, on a clock of the test's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, strategies as st

from app.errors import fault_of
from app.resilience import LONGEST_PAUSE_S, Breaker, RetryBudget, pause_s, retry_after_s


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=300))
def test_retries_never_exceed_their_share_of_the_window(steps: list[tuple[int, bool]]) -> None:
    clock = Clock()
    budget = RetryBudget(share=0.1, floor=2, window_s=10, clock=clock)
    asked: list[float] = []
    tried: list[float] = []
    for seconds, retry in steps:
        clock.now += seconds / 10
        budget.count()
        asked.append(clock.now)
        if retry and budget.take():
            tried.append(clock.now)
        since = int(clock.now) - 9
        recent = [sum(int(when) >= since for when in times) for times in (asked, tried)]
        assert recent[1] <= max(2, 0.1 * recent[0] + 1)


def test_a_budget_comes_back() -> None:
    clock = Clock()
    budget = RetryBudget(floor=1, window_s=10, clock=clock)
    assert [budget.take(), budget.take()] == [True, False]
    clock.now += 10
    assert budget.take()


def test_a_breaker_opens_probes_and_closes() -> None:
    clock = Clock()
    breaker = Breaker(failures=2, pause_s=4, longest_s=10, clock=clock, chance=lambda: 1.0)
    breaker.fail()
    breaker.succeed()
    breaker.fail()
    assert breaker.allow()
    breaker.fail()
    assert (breaker.open, breaker.allow(), breaker.rest_s) == (True, False, 4)
    clock.now += 4
    assert [breaker.allow(), breaker.allow()] == [True, False]  # one call finds out
    breaker.fail()
    assert breaker.rest_s == 8
    clock.now += 8
    assert breaker.allow()
    clock.now += 8
    assert breaker.allow(), "a probe that is never heard of again does not block for ever"
    breaker.fail()
    assert breaker.rest_s == 10
    clock.now += 10
    assert breaker.allow()
    breaker.succeed()
    assert [breaker.allow(), breaker.allow(), breaker.open] == [True, True, False]


def test_pauses_grow_to_a_limit_and_are_drawn_from_zero_on() -> None:
    assert [pause_s(attempt, lambda: 1.0) for attempt in range(6)] == [0.5, 1, 2, 4, 8, LONGEST_PAUSE_S]
    assert pause_s(3, lambda: 0.0) == 0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({}, None), ({"retry-after": "7"}, 7), ({"retry-after": "0.5"}, 0.5), ({"retry-after": "7", "retry-after-ms": "250"}, 0.25),
     ({"retry-after": "soon"}, None), ({"retry-after-ms": "x"}, None), ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0)],
)  # fmt: skip
def test_retry_after_in_each_of_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds


def test_retry_after_as_a_date() -> None:
    seconds = retry_after_s({"retry-after": format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)})
    assert seconds is not None
    assert 25 < seconds <= 30


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (429, b'{"error": {"code": "rate_limit_exceeded", "type": "tokens"}}', "rate_limit"),
        (429, b'{"error": {"code": "insufficient_quota", "type": "insufficient_quota"}}', "quota"),
        (429, b'{"error": {"code": null, "type": "insufficient_quota"}}', "quota"),
        (429, b'{"error": {"code": "billing_hard_limit_reached"}}', "quota"),
        (429, b'{"error": {"code": "project_spend_limit_exceeded", "type": "insufficient_quota"}}', "spend_limit"),
        (429, b'{"error": {"code": "organization_spend_limit_exceeded"}}', "spend_limit"),
        (429, b'{"error": "odd"}', "rate_limit"), (429, b"<html>", "rate_limit"), (429, b'{"error": {"code": ["odd"]}}', "rate_limit"),
        (500, b"", "server"), (503, b"", "server"), (529, b"", "server"), (408, b"", "server"), (409, b"", "server"),
        (400, b"", "refused"), (404, b"", "refused"), (422, b"", "refused"), (302, b"", "refused"),
    ],
)  # fmt: skip
def test_what_a_status_stands_for(status: int, body: bytes, fault: str) -> None:
    assert fault_of(status, body) == fault
