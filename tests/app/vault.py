"""Secrets Manager for these tests, by moto."""

from __future__ import annotations

import json
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

from app.clients import new_key

OPENAI = "gateway/openai-key"
CLIENTS = "gateway/clients"


class Vault:
    """Secrets Manager in an AWS that can go away."""

    def __init__(self) -> None:
        self.key, self.digest = new_key()
        self._server: Any = None
        self.port = 0

    def arrive(self) -> None:
        if self._server:
            return
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=self.port, verbose=False)
        self._server.start()
        _, self.port = self._server.get_host_and_port()

    def leave(self) -> None:
        if self._server:
            self._server.stop()
            self._server = None

    def write(self, name: str, text: str) -> None:
        client = boto3.client("secretsmanager")
        try:
            client.put_secret_value(SecretId=name, SecretString=text)
        except client.exceptions.ResourceNotFoundException:
            client.create_secret(Name=name, SecretString=text)
        finally:
            client.close()

    def allow(self, **digests: str) -> None:
        self.write(CLIENTS, json.dumps({name: {"key_sha256": [digest]} for name, digest in digests.items()}))

    def forget(self, name: str) -> None:
        client = boto3.client("secretsmanager")
        client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
        client.close()
