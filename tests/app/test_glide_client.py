"""What the cache's settings become for valkey-glide."""

from __future__ import annotations

import pytest
from glide import ServiceType

from app.glide_client import configuration


def test_plain_address_has_no_tls_and_no_credentials() -> None:
    found = configuration("redis://cache.internal:6380", "", 0.25)
    assert (found.addresses[0].host, found.addresses[0].port) == ("cache.internal", 6380)
    assert not found.use_tls
    assert found.credentials is None
    assert found.request_timeout == 250
    assert found.lazy_connect


def test_iam_signs_for_the_replication_group_as_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    found = configuration("rediss://gateway@primary.cache.amazonaws.com", "gateway-prod", 0.25)
    assert found.use_tls
    assert found.addresses[0].port == 6379
    assert found.credentials is not None
    iam = found.credentials.iam_config
    assert iam is not None
    assert (found.credentials.username, found.credentials.password) == ("gateway", None)
    assert (iam.cluster_name, iam.region, iam.service) == ("gateway-prod", "us-west-2", ServiceType.ELASTICACHE)


def test_password_is_decoded() -> None:
    found = configuration("rediss://:p%40ss@host:1", "", 0.25)
    assert found.credentials is not None
    assert found.credentials.password == "p@ss"
