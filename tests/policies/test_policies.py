"""Every policy passes what the stages deploy, and finds what it is there to find."""

from __future__ import annotations

from typing import Any

import pytest

from policies.catalog import POLICIES
from policies.stack import Stack
from tests.policies import mutants_data, mutants_network, mutants_service
from tests.policies.mutant import Mutant
from tests.policies.programs import broken, judged, program

GIVEN = {
    "vpcId": "vpc-0123456789abcdef0",
    "publicSubnetIds": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    "privateSubnetIds": ["subnet-0123456789abcdef2", "subnet-0123456789abcdef3"],
}
PROGRAMS: dict[str, tuple[str, dict[str, Any]]] = {
    "local": ("local", {}),
    "staging": ("staging", {}),
    "prod": ("prod", {}),
    "endpoints": ("staging", {"interfaceEndpoints": ["logs", "secretsmanager"]}),
    "given network": ("prod", GIVEN | {"busyMinTasks": 5}),
}
MUTANTS = (*mutants_network.MUTANTS, *mutants_service.MUTANTS, *mutants_data.MUTANTS)
REFUSALS = {"bucket-no-objects", "cache-of-one-kind", "group-rules-of-today", "no-network-acl", "no-servers", "no-users"}
"""The policies that nothing is about, because they refuse that there is anything."""


def deployed(name: str) -> Stack:
    stage, overrides = PROGRAMS[name]
    return program(stage, **overrides)


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_a_stage_deploys_breaks_no_policy_but_by_waiver(name: str) -> None:
    report = judged(deployed(name))
    assert not broken(deployed(name))
    assert not report.waivers
    assert report.passed
    assert any(verdict.waived for verdict in report.verdicts)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.policy}-{mutant.broken}")
def test_a_policy_finds_what_went_wrong(mutant: Mutant) -> None:
    stack = deployed(mutant.stage)
    assert mutant.policy not in broken(stack)
    assert mutant.broken in broken(mutant.mutation(stack)).get(mutant.policy, set())


def test_every_policy_is_known_to_find_something() -> None:
    assert {mutant.policy for mutant in MUTANTS} == {policy.name for policy in POLICIES}


def test_every_policy_passes_something() -> None:
    looked_at = {verdict.policy.name for name in PROGRAMS for verdict in judged(deployed(name)).verdicts if verdict.looked_at}
    assert {policy.name for policy in POLICIES} - looked_at == REFUSALS


def test_policies_of_protected_stages_leave_the_others_alone() -> None:
    bound = {policy.name for policy in POLICIES if policy.protected}
    looked_at = {verdict.policy.name for verdict in judged(deployed("staging")).verdicts if verdict.looked_at}
    assert bound
    assert not bound & looked_at


def test_a_policy_says_what_a_person_needs() -> None:
    assert len({policy.name for policy in POLICIES}) == len(POLICIES)
    for policy in POLICIES:
        assert policy.on
        assert not policy.title.endswith(".")
        for text in (policy.why, policy.fix):
            assert text.endswith("."), policy.name
