"""The pack under the real engine, against the emulated AWS, as CI runs it: `pulumi preview --policy-pack policies`."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pulumi import automation

from sandbox.aws_server import AwsServer
from sandbox.engine import Engine
from sandbox.resources import OPENAI_KEY
from sandbox.stack import ROOT

pytestmark = [
    pytest.mark.skipif(shutil.which("pulumi") is None, reason="the pulumi CLI is not on PATH"),
    pytest.mark.timeout(600),
]
MUTANT = """
import runpy

made = runpy.run_path({program!r}, run_name="__main__")
from pulumi_aws import ecs, s3

s3.Bucket("open", opts=made["opts"])
ecs.Cluster("unwatched", opts=made["opts"])
"""


@pytest.fixture
async def aws(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    server = AwsServer()
    await server.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv(OPENAI_KEY, "not-called")
    yield
    await server.stop()


def pack(folder: Path, expires: str) -> str:
    """A copy of the pack, whose waivers end on a day of the test's."""
    shutil.copytree(ROOT / "policies", folder / "policies", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".venv").symlink_to(sys.prefix)
    waivers = folder / "policies" / "waivers.toml"
    waivers.write_text(re.sub(r"^expires = .*$", f"expires = {expires}", waivers.read_text(), flags=re.MULTILINE))
    return str(folder / "policies")


@pytest.mark.usefixtures("aws")
async def test_the_stage_passes_before_and_after_it_is_deployed(tmp_path: Path) -> None:
    engine = await asyncio.to_thread(Engine, tmp_path, "local", {})
    packs = [pack(tmp_path, "9999-12-31")]
    previewed = await asyncio.to_thread(lambda: engine.stack.preview(policy_packs=packs))
    assert "openai-gateway@v" in previewed.stdout, "the pack was run"
    deployed = await asyncio.to_thread(lambda: engine.stack.up(policy_packs=packs))
    assert "openai-gateway@v" in deployed.stdout
    assert deployed.summary.result == "succeeded"


@pytest.mark.usefixtures("aws")
async def test_a_program_that_breaks_policies_is_refused_with_their_words(tmp_path: Path) -> None:
    engine = await asyncio.to_thread(Engine, tmp_path, "local", {"minTasks": 1})
    program = tmp_path / "project" / "infra"
    original = program.resolve() / "__main__.py"
    program.unlink()
    program.mkdir()
    (program / "__main__.py").write_text(MUTANT.format(program=str(original)))
    packs = [pack(tmp_path, "2020-01-01")]
    with pytest.raises(automation.CommandError) as caught:
        await asyncio.to_thread(lambda: engine.stack.preview(policy_packs=packs))
    said = str(caught.value)
    for policy, found in (
        ("service-several-tasks", "minCapacity = 1; allowed: 2 or more"),
        ("cluster-insights", "containerInsights = None; allowed: 'enabled' or 'enhanced'"),
        ("bucket-private", "there is no s3:BucketPublicAccessBlock whose bucket is this"),
        ("listener-encrypted", "protocol = 'HTTP', and it does not only redirect to HTTPS"),
        ("waivers", "the waiver for listener-encrypted on lb:Listener::http in local: expired on 2020-01-01"),
    ):
        assert re.search(rf"\[mandatory\].*{policy} ", said), policy
        assert found in said
    assert "To mend it: `minTasks` of 2 or more." in said
    assert "can't run policy" not in said, "what is unknown is no error of a policy"
