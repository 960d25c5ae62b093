"""Secrets Manager for these tests, by moto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest

from app.aws import secrets_manager
from app.clients import new_key

OPENAI = "gateway/openai-key"
CLIENTS = "gateway/clients"
ACCOUNT = "123456789012"
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}


class Vault:
    """Secrets Manager in an AWS that can go away."""

    def __init__(self) -> None:
        self.key, self.digest = new_key()
        self._server: Any = None
        self.port = 0

    def arrive(self) -> None:
        if self._server:
            return
        from moto.server import ThreadedMotoServer  # noqa: PLC0415  most tests do without this second

        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=self.port, verbose=False)
        self._server.start()
        _, self.port = self._server.get_host_and_port()

    def leave(self) -> None:
        if self._server:
            self._server.stop()
            self._server = None

    def write(self, name: str, text: str) -> None:
        with _client() as client:
            try:
                client.put_secret_value(SecretId=name, SecretString=text)
            except client.exceptions.ResourceNotFoundException:
                client.create_secret(Name=name, SecretString=text)

    def allow(self, **digests: str) -> None:
        self.write(CLIENTS, json.dumps({name: {"key_sha256": [digest]} for name, digest in digests.items()}))

    def age(self, name: str, by_s: float) -> None:
        """Let the secret's versions have been there for longer than they were."""
        from moto.secretsmanager.models import secretsmanager_backends  # noqa: PLC0415  as above

        for version in secretsmanager_backends[ACCOUNT][ENVIRONMENT["AWS_DEFAULT_REGION"]].secrets[name].versions.values():
            version["createdate"] -= by_s

    def empty(self) -> None:
        with _client() as client:
            for secret in client.list_secrets()["SecretList"]:
                client.delete_secret(SecretId=secret["Name"], ForceDeleteWithoutRecovery=True)


@contextmanager
def _client() -> Iterator[Any]:
    client = boto3.client("secretsmanager")
    yield client
    client.close()


@pytest.fixture(scope="session")
def aws() -> Iterator[Vault]:
    vault = Vault()
    vault.arrive()
    yield vault
    vault.leave()


@pytest.fixture
def vault(aws: Vault, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    """An empty Secrets Manager that this process's environment leads to."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (ENVIRONMENT | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{aws.port}"}).items():
        monkeypatch.setenv(name, value)
    secrets_manager.cache_clear()  # it may lead elsewhere
    yield aws
    aws.arrive()
    aws.empty()
