"""Changes of configuration under the real engine: what it would do is what the tests in process say that it does."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi import automation

from sandbox.aws_server import AwsServer
from sandbox.engine import Engine
from sandbox.resources import OPENAI_KEY
from tests.infra.changes import CREATE, DELETE, REPLACE, UPDATE, changes
from tests.infra.deployment import deploy

pytestmark = [
    pytest.mark.skipif(shutil.which("pulumi") is None, reason="the pulumi CLI is not on PATH"),
    pytest.mark.timeout(600),
]
EFFECTS = {CREATE: CREATE, DELETE: DELETE, UPDATE: UPDATE, REPLACE: REPLACE}
"""The engine's words for its steps; a replacement has others beside, for the parts that it is made of."""
MANY: dict[str, Any] = {
    "maxTasks": 6,
    "image": f"openai-gateway@sha256:{'1' * 64}",
    "requestsPerAddress": 500,
    "zones": 3,
    "natGateways": "perZone",
    "targetCpuPercent": 50,
    "maxKeyAgeDays": 30,
    "cacheNodeType": "cache.t4g.small",
    "cacheReplicas": 1,
    "idleTimeoutSeconds": 900,
    "healthCheckIntervalSeconds": 20,
    "interfaceEndpoints": ["logs"],
    "logRetentionDays": 7,
    "secretRecoveryDays": 7,
    "domain": "gateway.example.com",
    "hostedZoneId": "Z0123456789ABCDEFGHIJ",
}


@pytest.fixture
async def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Engine]:
    server = AwsServer()
    await server.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv(OPENAI_KEY, "sk-of-no-worth")
    yield await asyncio.to_thread(Engine, tmp_path, "local", {})
    await server.stop()


def previewed(engine: Engine, values: dict[str, Any]) -> dict[tuple[str, str], str]:
    """What the engine would do, by (type, name)."""
    found: dict[tuple[str, str], str] = {}

    def on_event(event: automation.EngineEvent) -> None:
        if event.resource_pre_event is not None:
            step = event.resource_pre_event.metadata
            package, _, noun = step.type.partition(":")
            module, _, noun = noun.partition(":")
            if package in ("aws", "pulumi") and step.op in EFFECTS and step.type != "pulumi:pulumi:Stack":
                kind = f"{module.split('/')[0]}:{noun}" if package == "aws" else f"pulumi:{noun}"
                found[kind, step.urn.rpartition("::")[2]] = EFFECTS[step.op]

    file = Path(engine.stack.workspace.work_dir) / "Pulumi.local.yaml"
    before = file.read_text()
    config = {key.rpartition(":")[2]: value for key, value in yaml.safe_load(before)["config"].items()}
    file.write_text(yaml.safe_dump({"config": config | values}))
    try:
        engine.stack.preview(on_event=on_event)
    finally:
        file.write_text(before)
    return found


async def test_the_engine_would_do_what_the_tests_in_process_say(engine: Engine) -> None:
    await asyncio.to_thread(engine.up)
    now = await asyncio.to_thread(deploy, "local")
    for values in ({}, {"interfaceEndpoints": ["logs"]}, MANY, {"vpcCidr": "10.9.0.0/16"}):
        then = await asyncio.to_thread(deploy, "local", **values)
        assert await asyncio.to_thread(previewed, engine, values) == changes(now, then)
