from __future__ import annotations

import pytest

from tests.infra.deployment import ACCOUNT, ECR_IMAGE, STAGES, Deployment, deploy


@pytest.fixture(params=STAGES)
def deployed(request: pytest.FixtureRequest) -> Deployment:
    """Each stage as it is committed."""
    return deploy(request.param)


@pytest.fixture
def prod() -> Deployment:
    return deploy("prod")


@pytest.fixture
def varied() -> Deployment:
    """Staging with other values, for what follows from configuration."""
    return deploy(
        "staging",
        region="us-west-2",
        costCeilingUsd=1000,
        allowedAccountIds=[ACCOUNT],
        openaiOrganization="org-acme",
        image=ECR_IMAGE,
        taskCpu=4096,
        taskMemoryMiB=8192,
        cacheReplicas=1,
    )


@pytest.fixture
def staging() -> Deployment:
    return deploy("staging")
