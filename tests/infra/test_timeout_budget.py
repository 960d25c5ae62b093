from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from infra.config.timeouts import Timeouts

SECONDS = st.integers(min_value=1, max_value=3600)


@given(SECONDS, SECONDS, st.integers(min_value=1, max_value=4000), st.integers(min_value=0, max_value=200))
def test_what_is_not_refused_keeps_every_order(request_s: int, ping_s: int, idle_s: int, drain_s: int) -> None:
    budget = Timeouts(request_s, ping_s, idle_s, drain_s)
    if not budget.problems():
        assert budget.ping_s < budget.idle_s < budget.keep_alive_s
        assert budget.request_s < budget.idle_s
        assert budget.drain_s <= budget.stop_s <= 120
        assert budget.drain_s <= budget.deregistration_s <= 3600


@given(SECONDS, st.integers(min_value=0, max_value=110))
def test_a_deployment_cuts_no_request_that_was_running(request_s: int, drain_s: int) -> None:
    budget = Timeouts(request_s, 1, 4000, drain_s)
    assert budget.deregistration_s + budget.drain_s >= budget.request_s


@pytest.mark.parametrize(
    ("budget", "says"),
    [
        (Timeouts(10, 60, 60, 90), "pingSeconds = 60: must be less than idleTimeoutSeconds = 60"),
        (Timeouts(600, 15, 600, 90), "requestTimeoutSeconds = 600: must be less than idleTimeoutSeconds = 600"),
        (Timeouts(10, 15, 60, 111), "drainSeconds = 111: 111 + 10 s to leave = 121 s, but a task has at most 120 s to stop"),
    ],
)
def test_what_does_not_fit_is_said_with_the_arithmetic(budget: Timeouts, says: str) -> None:
    (problem,) = budget.problems()
    assert problem.startswith(says)


def test_all_problems_are_said_at_once() -> None:
    assert len(Timeouts(3600, 3600, 1, 200).problems()) == 3
