"""G4: keys stay out of code and repositories, in a secret manager; they are read at run time and rotated without a restart."""

from __future__ import annotations

import json
import re
import subprocess
import uuid
from pathlib import Path

import pytest

from tests.conftest import ROOT, Stack
from tests.infra.deployment import STAGES, deploy

OPENAI_KEY = re.compile(r"\bsk-[A-Za-z0-9_-]{20,}\b")
CLIENT_KEY = re.compile(r"\bgwk-[A-Za-z0-9_-]{30,}\b")


TRIED = "tests/app/test_redact.py"
"""Has keys of no worth, for redaction to find."""


def test_no_key_stands_in_the_repository() -> None:
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    found = [name for name in names if name != TRIED and (OPENAI_KEY.search(text := _text(ROOT / name)) or CLIENT_KEY.search(text))]
    assert len(names) > 50
    assert not found


def _text(path: Path) -> str:
    return path.read_text(errors="ignore") if path.is_file() else ""


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_has_a_key_in_what_it_deploys(stage: str) -> None:
    deployed = deploy(stage)
    everything = json.dumps([resource.inputs for resource in deployed.resources.values()]) + json.dumps(deployed.outputs)
    assert not OPENAI_KEY.search(everything)
    assert not {"OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "GATEWAY_CLIENTS"} & deployed.environment().keys()
    assert deployed.environment()["GATEWAY_OPENAI_SECRET_ID"] == deployed.outputs["openaiSecretArn"]


def test_each_stage_has_a_secret_of_its_own() -> None:
    prefixes = {deploy(stage).one("secretsmanager:Secret", "openai-key").inputs["namePrefix"] for stage in STAGES}
    assert len(prefixes) == len(STAGES)


def test_the_key_that_calls_openai_comes_from_the_stages_secret(local: Stack) -> None:
    secret = local.aws("secretsmanager").get_secret_value(SecretId=local.described["outputs"]["openaiSecretArn"])["SecretString"]
    question = f"Which key? {uuid.uuid4()}"
    local.client().chat.completions.create(model="gpt-6.1-terra", messages=[{"role": "user", "content": question}])
    (arrived,) = [request for request in local.upstream_requests() if question in str(request["body"])]
    assert arrived["key_sha256"] == local.digest(secret)


def test_logs_hold_no_key_and_no_prompt(local: Stack) -> None:
    local.client().chat.completions.create(model="gpt-6.1-terra", messages=[{"role": "user", "content": "a prompt that nobody logs"}])
    secret = local.aws("secretsmanager").get_secret_value(SecretId=local.described["outputs"]["openaiSecretArn"])["SecretString"]
    lines = [line for line in local.log().splitlines() if '"event":"request"' in line]
    assert lines
    assert not [line for line in lines if secret in line or local.described["client_key"] in line or "nobody logs" in line]
