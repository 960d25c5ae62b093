"""G14: OpenAI's servers are in the US, and so are a stage's."""

from __future__ import annotations

import pytest

from sandbox.errors import SandboxError
from tests.infra.deployment import STAGES, deploy

US = ("us-east-1", "us-east-2", "us-west-1", "us-west-2")


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_is_in_the_us(stage: str) -> None:
    assert deploy(stage).outputs["region"] in US


@pytest.mark.parametrize("region", ["eu-central-1", "us-gov-west-1", "us-east-3", ""])
def test_another_region_is_refused_with_what_is_allowed(region: str) -> None:
    with pytest.raises(SandboxError) as refused:
        deploy("staging", region=region)
    assert "region" in str(refused.value)
    assert repr(region)[1:-1] in str(refused.value)
    assert all(allowed in str(refused.value) for allowed in US)


@pytest.mark.parametrize("region", US)
def test_each_us_region_can_be_deployed(region: str) -> None:
    zones = 2 if region == "us-west-1" else 3
    deployed = deploy("staging", region=region, zones=zones)
    assert {subnet.inputs["availabilityZone"][:-1] for subnet in deployed.all("ec2:Subnet").values()} == {region}
