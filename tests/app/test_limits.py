"""Limits and ladders as text and as a client's exceptions: what is taken, and what an error says."""

from __future__ import annotations

from typing import Any

import pytest

from app.limits import Ladder, Limits, LimitsError, Step

STAGE = Limits(requests_per_minute=60, tokens_per_minute=1000, streams=4, usd_per_day=1.5, usd_per_month=20)


def test_a_clients_limits_replace_the_general_ones() -> None:
    assert STAGE.merged({"streams": 9, "usd_per_day": 0}) == Limits(60, 1000, 9, 0, 20)
    assert STAGE.merged({}) is STAGE


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"requests": 1}, "requests_per_minute"),
        ({"packed": b""}, "'packed' is no limit"),
        ({"streams": -1}, "streams must be a whole number from 0"),
        ({"streams": 1.5}, "not 1.5"),
        ({"streams": True}, "not True"),
        ({"tokens_per_minute": "5"}, "not '5'"),
        ({"usd_per_day": float("nan")}, "usd_per_day must be a number"),
        ({"usd_per_month": float("inf")}, "usd_per_month"),
        ({"usd_per_month": 10**8}, "to 9000000"),
    ],
    ids=str,
)
def test_a_limit_that_cannot_be_is_refused_by_name(overrides: dict[str, Any], says: str) -> None:
    with pytest.raises(LimitsError, match=says):
        STAGE.merged(overrides)


def test_a_ladder_is_read_in_order() -> None:
    assert Ladder.parse(" 0.5:alert, 1:stop ").steps == ((0.5, Step.ALERT), (1.0, Step.STOP))
    assert Ladder.parse("").steps == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0.5", "'0.5' is no step"),
        ("half:alert", "'half:alert' is no step"),
        ("0.5:shout", "alert, cheaper, shorter, cache, stop"),
        ("0:alert", "more than 0"),
        ("1.1:stop", "at most 1"),
        ("nan:stop", "more than 0"),
        ("0.8:alert,0.5:stop", "'0.5:stop' must come later"),
        ("0.5:stop,0.8:alert", "'0.8:alert' must come later and do more"),
        ("0.5:alert,0.6:alert", "do more"),
    ],
)
def test_a_ladder_that_cannot_be_is_refused_by_the_part(text: str, says: str) -> None:
    with pytest.raises(LimitsError, match=says):
        Ladder.parse(text)
