"""The runbook: a section for each alarm and an alarm for each section, with lookups that exist."""

from __future__ import annotations

import re
import subprocess

import boto3
import pytest
from botocore import xform_name

from sandbox.stack import ROOT
from tests.infra.deployment import STAGES, deploy

TEXT = (ROOT / "docs" / "runbook.md").read_text()
HEAD, *_SECTIONS = re.split(r"^## (.+)\n", TEXT, flags=re.MULTILINE)
SECTIONS = dict(zip(_SECTIONS[::2], _SECTIONS[1::2], strict=True))
PARTS = ("Means", "Callers notice", "Look at", "Mend", "False alarm")
SHELL = re.findall(r"```sh\n(.*?)```", HEAD, flags=re.DOTALL)[0]
GLOBAL = {"output", "query"}
"""Options that every command of AWS has."""


def inline() -> list[str]:
    """The commands in the text."""
    return [" ".join(found.split()) for found in re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL))]


def test_every_alarm_has_a_section_and_every_section_an_alarm() -> None:
    names = {name for stage in STAGES for name in deploy(stage).all("cloudwatch:MetricAlarm")}
    assert names | {"deployment"} == SECTIONS.keys()
    assert len(_SECTIONS) == 2 * len(SECTIONS)


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_says_all_that_one_needs_at_night(name: str) -> None:
    section = SECTIONS[name]
    assert re.findall(r"^\*\*([\w ]+)\*\*", section, flags=re.MULTILINE) == list(PARTS)
    assert len(re.findall(r"^\d\. ", section, flags=re.MULTILINE)) == 3
    assert all(re.search(rf"\*\*{part}\*\*:? *\n*\S", section) for part in PARTS)


def test_links_lead_to_sections() -> None:
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= SECTIONS.keys()


def test_the_lookups_are_a_shell_script() -> None:
    scripts = [SHELL, *(one for one in inline() if one.startswith(("logged ", "curl ", "aws ")))]
    assert len(scripts) > 10
    for script in scripts:
        filled = re.sub(r"<[\w' ]+>", "filled-in", script)
        ended = subprocess.run(["bash", "-n", "-c", filled], capture_output=True, text=True, check=False)
        assert not ended.stderr, script


def test_lookups_by_name_are_defined() -> None:
    defined = set(re.findall(r"^(\w+)\(\)", SHELL, flags=re.MULTILINE))
    used = {word for one in inline() for word in re.findall(r"^(\w+)(?= '|$)", one)} & (defined | {"alarms", "metrics", "usage"})
    assert {"events", "stops", "errors", "failed", "health", "deployments", "dashboard", "cache"} <= used
    assert used <= defined
    outputs = set(re.findall(r"\bof (\w+)", SHELL + "".join(inline())))
    assert outputs <= deploy("prod").outputs.keys()


def commands() -> list[list[str]]:
    """AWS commands: service, operation and options."""
    found = [re.search(r"\baws ([a-z0-9-]+) ([a-z-]+)(.*)", text) for text in (*inline(), *SHELL.splitlines())]
    return [[match[1], match[2], *re.findall(r" --([a-z-]+)", match[3])] for match in found if match]


@pytest.mark.parametrize("command", commands(), ids=lambda command: " ".join(command[:2]))
def test_aws_has_every_command(command: list[str]) -> None:
    service, operation, *options = command
    if (service, operation) == ("logs", "tail"):  # the CLI's own
        assert set(options) <= {"since", "format", "filter-pattern", "log-stream-names", "follow"}
        return
    client = boto3.client(service, region_name="us-east-1")
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation.replace("-", "_")])
    members = {xform_name(member).replace("_", "-") for member in model.input_shape.members}
    assert set(options) - GLOBAL <= members


def test_there_are_commands_to_check() -> None:
    assert len(commands()) >= 10
    assert ["ecs", "describe-services", "cluster", "services", "output", "query"] in commands()
