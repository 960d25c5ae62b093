"""`python -m sandbox plan`: what a stage would create, and how a configuration that cannot be is refused."""

from __future__ import annotations

import json

import pytest

from tests.sandbox.test_local import run


def test_plan_prints_every_resource_as_json() -> None:
    ended = run("plan", "--stage", "staging", "--json")
    assert ended.returncode == 0, ended.stderr
    planned = json.loads(ended.stdout)
    assert planned["stage"] == "staging"
    vpc = next(item for item in planned["resources"] if item["type"] == "aws:ec2/vpc:Vpc")
    assert vpc["parent"].startswith("gateway:network:Network::")
    assert vpc["inputs"]["cidrBlock"].endswith("/16")
    assert planned["outputs"]["region"].startswith("us-")


def test_plan_shows_a_table() -> None:
    ended = run("plan", "--stage", "prod")
    assert ended.returncode == 0, ended.stderr
    assert "stage prod:" in ended.stdout
    assert "NatGateway x3" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--stage", "production"),
            "error: there is no stage 'production': no Pulumi.production.yaml beside Pulumi.yaml; there are local, prod, staging",
        ),
        (("--stage", "staging", "--config", "region"), "error: --config wants KEY=VALUE, not 'region'"),
    ],
)
def test_what_cannot_be_planned_is_one_line(arguments: tuple[str, ...], message: str) -> None:
    ended = run("plan", *arguments)
    assert ended.returncode == 1
    assert ended.stderr.strip() == message


def test_a_refused_configuration_names_key_value_and_what_is_allowed() -> None:
    ended = run("plan", "--stage", "staging", "--config", "region=eu-west-1")
    assert ended.returncode == 1
    for part in ("region", "eu-west-1", "us-east-1"):
        assert part in ended.stderr
    assert "Traceback" not in ended.stderr
