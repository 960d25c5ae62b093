"""`python -m operate`, against the deployed local stack; the pulumi CLI is played by a script that prints that stack's outputs."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.aws import CREDENTIALS
from tests.conftest import ROOT, Stack

Operate = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def operate(local: Stack, tmp_path: Path) -> Operate:
    cli = tmp_path / "pulumi"
    cli.write_text(f"#!/bin/sh\necho {shlex.quote(json.dumps(local.described['outputs']))}\n")
    cli.chmod(0o700)
    aws = {"AWS_ENDPOINT_URL": local.described["aws_endpoint"], **CREDENTIALS}

    def run(*arguments: str, stdin: str = "", path: str = f"{tmp_path}:{os.environ['PATH']}") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "operate", *arguments, "--stage", "local"]
        environment = os.environ | aws | {"PATH": path}
        return subprocess.run(command, cwd=ROOT, env=environment, input=stdin, capture_output=True, text=True, timeout=60, check=False)

    return run


def test_a_client_gets_a_key_that_works_until_it_is_removed(local: Stack, operate: Operate) -> None:
    added = operate("client", "web")
    assert added.returncode == 0, added.stderr
    key = added.stdout.strip()
    assert key.startswith("gwk-")
    assert operate("client").stdout.split() == ["local", "web"]
    secret = local.aws("secretsmanager").get_secret_value(SecretId=local.described["outputs"]["clientsSecretArn"])["SecretString"]
    assert key not in secret
    local.until_known(key)
    assert operate("client", "web", "--remove").returncode == 0
    local.until_known(key, known=False)


def test_the_openai_key_is_stored_from_a_pipe_and_never_shown(local: Stack, operate: Operate) -> None:
    secrets, secret = local.aws("secretsmanager"), local.described["outputs"]["openaiSecretArn"]
    before = secrets.get_secret_value(SecretId=secret)["SecretString"]
    stored = operate("key", stdin="sk-another-one\n")
    try:
        assert stored.returncode == 0, stored.stderr
        assert "sk-another" not in stored.stdout + stored.stderr
        assert secrets.get_secret_value(SecretId=secret)["SecretString"] == "sk-another-one"
    finally:
        secrets.put_secret_value(SecretId=secret, SecretString=before)


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (("key",), "hunter2\n", "error: that is no OpenAI key: one begins with sk- and has no spaces in it\n"),
        (
            ("client", "no/slash"),
            "",
            "error: 'no/slash' is no name for a caller: up to 64 letters, digits, dots, dashes and underscores.\n",
        ),
        (("client", "nobody", "--remove"), "", "error: there is no client 'nobody'; there are local\n"),
    ],
)
def test_what_cannot_be_done_is_one_line(operate: Operate, arguments: tuple[str, ...], stdin: str, message: str) -> None:
    ended = operate(*arguments, stdin=stdin)
    assert ended.returncode == 1
    assert ended.stderr == message


def test_without_the_pulumi_cli_it_says_where_to_get_it(operate: Operate) -> None:
    ended = operate("client", path="")
    assert ended.returncode == 1
    assert ended.stderr == "error: the pulumi CLI is not on PATH: install it from https://www.pulumi.com/docs/install/\n"
