"""What a change of each configuration key does to a deployed stage: in place, or replaced, and nothing surprising replaced."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.fixed import FIXED
from sandbox.rows import ROWS
from sandbox.stack import project
from tests.infra.change_table import CHANGES, MOVES, TASKS, Effects
from tests.infra.changes import CREATE, REPLACE, UPDATE, changes
from tests.infra.deployment import STAGES, Deployment, deploy

WATCHING = {"cloudwatch:CompositeAlarm", "cloudwatch:Dashboard", "cloudwatch:EventRule", "cloudwatch:EventTarget", "cloudwatch:MetricAlarm"}
"""What may follow anything: it is looked at only where it is replaced."""
PRECIOUS = {
    *("ec2:Eip", "ec2:NatGateway", "ec2:SecurityGroup", "ec2:Subnet", "ec2:Vpc", "lb:LoadBalancer", "lb:TargetGroup", "wafv2:WebAcl"),
    *("ecs:Cluster", "ecs:Service", "elasticache:ReplicationGroup", "kms:Key", "s3:Bucket", "secretsmanager:Secret"),
    *("cloudwatch:LogGroup", "iam:Role", "sns:Topic"),
}
"""What holds data, or callers and operators notice."""


def effects(before: Deployment, after: Deployment) -> Effects:
    """The effects by type, without what only watches and is not replaced."""
    found: dict[str, set[str]] = {}
    for (kind, _name), effect in changes(before, after).items():
        found.setdefault(kind, set()).add(effect)
    by_kind = {kind: "+".join(sorted(several)) for kind, several in found.items()}
    return {kind: effect for kind, effect in by_kind.items() if kind not in WATCHING or REPLACE in effect}


def rolls(key: str) -> bool:
    """Whether a change of a key makes another revision of the task."""
    return CHANGES[key].effects.items() >= TASKS.items()


def batches() -> list[list[str]]:
    """Keys that can be changed at once, because each changes other types of resources; those that make another revision share that."""
    packed: list[tuple[dict[str, Any], set[str], list[str]]] = []
    for key, change in CHANGES.items():
        own = {*change.effects, *change.along, key}
        for base, taken, keys in packed:
            shared = TASKS.keys() if rolls(key) and any(map(rolls, keys)) else set()
            if base == change.base and key not in base and not taken & own - shared:
                taken.update(own)
                keys.append(key)
                break
        else:
            packed.append((change.base, own, [key]))
    return [keys for _base, _taken, keys in packed]


def deployed(keys: list[str]) -> tuple[Deployment, Deployment, Effects]:
    """A stage before and after a change of keys, and the effects that their rows say."""
    table = CHANGES | MOVES
    base = table[keys[0]].base
    after, wanted = dict(base), dict[str, str]()
    for key in keys:
        after |= table[key].along | {key: table[key].value}
        wanted |= table[key].effects
    return deploy("local", **base), deploy("local", **after), wanted


def test_every_key_has_a_row() -> None:
    assert project()["config"].keys() == (CHANGES | MOVES).keys()


@pytest.mark.parametrize("keys", batches(), ids=lambda keys: "+".join(keys)[:60])
def test_a_change_does_what_its_row_says_and_no_more(keys: list[str]) -> None:
    before, after, wanted = deployed(keys)
    assert effects(before, after) == wanted


def test_each_setting_of_the_app_changes_a_variable_of_the_task() -> None:
    keys = max(batches(), key=len)
    before, after, _ = deployed(keys)
    settings = [key for key in keys if rolls(key) and key not in ("image", "taskCpu", "taskMemoryMiB")]
    names = {name for name, _value in before.environment().items() ^ after.environment().items()}
    assert len(names) >= len(settings) > 20


def test_another_age_of_the_key_concerns_its_alarm_alone() -> None:
    found = changes(deploy("local"), deploy("local", maxKeyAgeDays=30))
    assert found == {("cloudwatch:MetricAlarm", "key-age"): UPDATE, ("cloudwatch:Dashboard", "dashboard"): UPDATE}


@pytest.mark.parametrize("key", ["vpcCidr", "vpcId"])
def test_another_network_makes_what_stands_in_it_anew(key: str) -> None:
    before, after, wanted = deployed([key])
    assert effects(before, after) == wanted


def test_another_region_is_another_stage() -> None:
    before, after, _ = deployed(["region"])
    assert {effect for key, effect in changes(before, after).items()} == {REPLACE}


def test_nothing_precious_is_replaced_but_by_a_move() -> None:
    for key, change in CHANGES.items():
        assert not {kind for kind, effect in change.effects.items() if kind in PRECIOUS and effect not in (CREATE, UPDATE)}, key


@pytest.mark.parametrize("stage", STAGES)
def test_it_is_known_of_every_type_what_replaces_it(stage: str) -> None:
    kinds = {resource.kind for resource in deploy(stage).resources.values()}
    assert {kind for kind in kinds if not kind.startswith(("gateway:", "pulumi:"))} <= ROWS.keys() | FIXED.keys()
