"""Waivers: what they allow, for how long, and that none stays that is not needed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from policies.catalog import POLICIES
from policies.judge import judge
from policies.waivers import FILE, Waiver, WaiverError, load
from tests.infra.deployment import STAGES
from tests.policies.programs import TODAY, broken, judged, program, put

LISTENER = Waiver("listener-encrypted", "lb:Listener::http", "protocol = *", ("staging",), "no domain yet", TODAY)
ENTRY = {"policy": '"tags"', "resource": '"*"', "found": '"*"', "stages": '["dev"]', "reason": '"because"', "expires": "2027-01-01"}


def entry(**changed: str) -> str:
    return "[[waiver]]\n" + "\n".join(f"{key} = {value}" for key, value in (ENTRY | changed).items() if value)


def listener(*waivers: Waiver, days: int = 0) -> tuple[int, int, tuple[str, ...]]:
    """Violations and waived findings of the listener's policy in staging, and what is wrong with the waivers, so many days later."""
    (policy,) = [policy for policy in POLICIES if policy.name == "listener-encrypted"]
    report = judge([policy], program("staging"), waivers, TODAY + timedelta(days=days))
    (verdict,) = report.verdicts
    return len(verdict.violations), len(verdict.waived), report.waivers


def test_a_waiver_allows_what_it_names_until_its_last_day() -> None:
    assert listener() == (1, 0, ())
    assert listener(LISTENER) == (0, 1, ())
    violations, waived, problems = listener(LISTENER, days=1)
    assert (violations, waived) == (1, 0)
    assert problems == (f"{LISTENER.label}: expired on {TODAY}; mend what it is about, or argue for it anew",)


@pytest.mark.parametrize(
    "changed",
    [{"policy": "listener-tls"}, {"resource": "lb:Listener::https"}, {"found": "port = *"}, {"stages": ("prod",)}],
    ids=lambda changed: next(iter(changed)),
)
def test_a_waiver_allows_nothing_else(changed: dict[str, object]) -> None:
    violations, waived, _problems = listener(Waiver(**{**vars(LISTENER), **changed}))
    assert (violations, waived) == (1, 0)


def test_a_waiver_that_nothing_needs_fails() -> None:
    other = Waiver("listener-encrypted", "lb:Listener::other", "*", ("staging",), "left over", TODAY)
    assert listener(LISTENER, other)[2] == (f"{other.label}: nothing breaks the policy any more; take the waiver out",)


@pytest.mark.parametrize("stages", [("local",), ("*",)])
def test_a_waiver_that_another_stage_may_need_is_left_alone(stages: tuple[str, ...]) -> None:
    other = Waiver("listener-encrypted", "lb:Listener::other", "*", stages, "of a laptop", TODAY)
    assert listener(LISTENER, other) == (0, 1, ())


def test_every_waiver_is_needed_by_a_stage() -> None:
    used = {line.waiver for stage in STAGES for verdict in judged(program(stage)).verdicts for line in verdict.waived}
    assert used == set(load())


def test_a_waiver_of_no_policy_fails() -> None:
    other = Waiver("listener-encrpted", "*", "*", ("local",), "a typo", TODAY)
    assert listener(LISTENER, other)[2] == (f"{other.label}: there is no policy 'listener-encrpted'",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (entry(reason='""'), "waiver 1: reason = ''; allowed: text"),
        (entry(reason=""), "waiver 1: reason = None; allowed: text"),
        (entry(expires='"some day"'), "waiver 1: expires = 'some day'; allowed: a date as 2027-06-30"),
        (entry(expires="2027-01-01T00:00:00"), "allowed: a date as 2027-06-30"),
        (entry(stages='"dev"'), "waiver 1: stages = 'dev'; allowed: names of stages"),
        (entry(stages="[]"), "waiver 1: stages = []; allowed: names of stages"),
        (entry(found=""), "waiver 1: found = None; allowed: text"),
        (entry(stage='"dev"'), "waiver 1: there is no 'stage'; allowed: policy, resource, found, stages, reason, expires"),
        ("[[waiver]\n", "no valid TOML"),
    ],
)
def test_a_waiver_says_all_that_it_must(text: str, problem: str) -> None:
    with pytest.raises(WaiverError) as caught:
        load(text)
    assert problem in str(caught.value)


def test_the_file_holds_and_each_entry_has_an_end() -> None:
    assert load(entry())[0].reason == "because"
    assert load()
    assert all(waiver.expires > TODAY for waiver in load())
    assert FILE.is_file()


def test_what_is_added_to_a_waived_resource_is_not_waived() -> None:
    mutation = put("iam:RolePolicy::execution", "policy#Statement.0.Action", ["ecr:GetAuthorizationToken", "secretsmanager:GetSecretValue"])
    assert broken(mutation(program("staging"))) == {"no-wildcard-resource": {"iam:RolePolicy::execution"}}
