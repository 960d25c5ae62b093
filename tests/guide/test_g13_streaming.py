"""G13: `stream: true` gives the first token early, through the balancer and the gateway."""

from __future__ import annotations

import time
import uuid

from tests.conftest import Stack
from tests.infra.deployment import STAGES, deploy


def test_the_first_token_comes_long_before_the_last(local: Stack) -> None:
    began = time.monotonic()
    stream = local.client().chat.completions.create(
        model="gpt-6.1-terra", messages=[{"role": "user", "content": f"Tell me {uuid.uuid4()}"}], stream=True
    )
    times = [time.monotonic() - began for chunk in stream if chunk.choices and chunk.choices[0].delta.content]
    assert len(times) > 20
    assert times[0] < times[-1] / 2, "what is buffered comes all at once"


def test_a_silent_stream_outlives_the_balancers_patience() -> None:
    for stage in STAGES:
        deployed = deploy(stage)
        ping_s = float(deployed.environment()["GATEWAY_PING_S"])
        idle_s = deployed.one("lb:LoadBalancer", "gateway").inputs["idleTimeout"]
        keep_alive_s = int(deployed.environment()["GATEWAY_KEEP_ALIVE_S"])
        assert ping_s < idle_s < keep_alive_s


def test_a_deployment_lets_streams_finish() -> None:
    for stage in STAGES:
        deployed = deploy(stage)
        drain_s, stop_s = float(deployed.environment()["GATEWAY_DRAIN_S"]), deployed.container()["stopTimeout"]
        assert 0 < drain_s <= stop_s <= 120
        assert deployed.one("lb:TargetGroup", "tasks").inputs["deregistrationDelay"] >= drain_s
