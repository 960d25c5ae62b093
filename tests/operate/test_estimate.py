"""`python -m operate estimate`: bad input, what-if, and the tables."""

from __future__ import annotations

import pytest

from operate.__main__ import main
from operate.estimate import estimate


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--stage", "prd"], "there is no stage 'prd': no Pulumi.prd.yaml beside Pulumi.yaml; there are local, prod, staging"),
        (["--stage", "prod", "--seconds", "5s"], 'trafficSeconds = "5s": allowed: a whole number'),
        (["--stage", "prod", "--set", "minTask=3"], "minTask: there is no such key; did you mean minTasks?"),
        (["--stage", "prod", "--set", "minTasks"], "--set wants KEY=VALUE, not 'minTasks'"),
        (["--stage", "prod", "--model-mix", "gpt-9:100"], "gpt-9 is not among models"),
        (["--stage", "prod", "--set", 'models=["gpt-9"]'], "Models that are not in the catalogue: gpt-9. Add each with its price"),
    ],
)
def test_bad_input_gets_a_clear_line(capsys: pytest.CaptureFixture[str], arguments: list[str], says: str) -> None:
    assert main(["estimate", *arguments]) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith("error: ")
    assert says in shown.err
    assert "Traceback" not in shown.err
    assert not shown.out


def test_any_key_can_be_tried() -> None:
    usual, cheap = estimate("prod", {}), estimate("prod", {"cacheNodeType": "cache.t4g.medium", "cacheReplicas": "1"})
    assert usual.aws.usd - cheap.aws.usd == pytest.approx(730 * (3 * 0.1264 - 2 * 0.052) + 0.5)


def test_a_stage_above_its_limits_is_shown_and_said_to_be() -> None:
    found = estimate("staging", {"costCeilingUsd": "100", "trafficRequestsPerDay": "10000"})
    ceiling, budget = found.notes()
    assert ceiling.startswith("AWS is above costCeilingUsd = 100")
    assert budget == "OpenAI is above monthlyBudgetUsd = 100: it is spent on about day 6 of 30"


def test_what_has_no_price_is_named_and_not_summed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimate", "--stage", "staging", "--set", "cacheNodeType=cache.m9g.large"]) == 0
    shown = capsys.readouterr().out
    assert "cache is not in the sums: there is no price for cache.m9g.large in us-east-1" in shown
    (row,) = (line for line in shown.splitlines() if line.startswith("│ cache "))
    assert "no price" in row
    assert "?" in row
    assert "0.00" not in row


def test_nobody_asking_costs_no_dollar_at_openai(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimate", "--stage", "staging", "--requests-per-day", "0"]) == 0
    assert "a thousand requests" not in capsys.readouterr().out
    assert estimate("staging", {"trafficRequestsPerDay": "0"}).openai_usd == 0


def test_the_tables_add_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimate", "--stage", "prod"]) == 0
    shown = capsys.readouterr().out
    found = estimate("prod", {})
    for sum_usd in (found.aws.fixed_usd, found.aws.traffic_usd, found.aws.usd, found.openai_usd, found.saved_usd, found.usd):
        assert f" {sum_usd:,.2f} " in shown


def test_a_share_of_unchecked_prices_is_said() -> None:
    (note,) = estimate("staging", {"region": "us-west-1"}).notes()
    assert "stands at prices that were not looked up" in note
    assert not estimate("staging", {}).notes()
