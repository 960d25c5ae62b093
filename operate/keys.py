"""The keys of a deployed stage: the OpenAI key that the gateway calls with, and the keys of those who call the gateway."""

from __future__ import annotations

import json
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from app.clients import new_key, parse
from app.secret import SecretError
from operate.stack import OperateError, outputs

MISSING = "ResourceNotFoundException"


class Keys:
    """The two secrets of a stage. Values are sent to Secrets Manager and nowhere else."""

    def __init__(self, stage: str) -> None:
        found = outputs(stage)
        self._openai, self._clients = found["openaiSecretArn"], found["clientsSecretArn"]
        self._manager: Any = boto3.client("secretsmanager", region_name=found["region"])

    def store_openai_key(self, key: str) -> None:
        """Make `key` the one that the stage calls OpenAI with; running tasks take it up by themselves.

        Raises:
            OperateError: it is no OpenAI key, or AWS refuses.
        """
        key = key.strip()
        if not key.startswith("sk-") or not key.isascii() or any(character.isspace() for character in key):
            raise OperateError("that is no OpenAI key: one begins with sk- and has no spaces in it")
        self._put(self._openai, key)

    def clients(self) -> list[str]:
        """The names of the callers."""
        return sorted(self._callers())

    def add_client(self, name: str) -> str:
        """Give a caller one more key; the key, which is kept nowhere.

        Raises:
            OperateError: the name is not allowed, or AWS refuses.
        """
        key, digest = new_key()
        callers = self._callers()
        caller = callers.setdefault(name, {"key_sha256": []})
        caller["key_sha256"] = [*caller["key_sha256"], digest]
        self._store(callers)
        return key

    def remove_client(self, name: str) -> None:
        """Take all keys of a caller away.

        Raises:
            OperateError: there is no such caller, or AWS refuses.
        """
        callers = self._callers()
        if callers.pop(name, None) is None:
            raise OperateError(f"there is no client {name!r}; there are {', '.join(sorted(callers)) or 'none'}")
        self._store(callers)

    def _callers(self) -> dict[str, Any]:
        try:
            text = self._manager.get_secret_value(SecretId=self._clients)["SecretString"]
            parse(text)
        except ClientError as error:
            if error.response["Error"]["Code"] == MISSING:
                return {}
            raise OperateError(f"the callers' secret cannot be read: {error.response['Error']['Code']}") from None
        except (BotoCoreError, SecretError) as error:
            raise OperateError(f"the callers' secret cannot be read: {error}") from None
        return dict(json.loads(text))

    def _store(self, callers: dict[str, Any]) -> None:
        text = json.dumps(callers, sort_keys=True)
        try:
            parse(text)
        except SecretError as error:
            raise OperateError(str(error)) from None
        self._put(self._clients, text)

    def _put(self, secret: str, value: str) -> None:
        try:
            self._manager.put_secret_value(SecretId=secret, SecretString=value)
        except ClientError as error:
            raise OperateError(f"AWS refuses to store the value: {error.response['Error']['Code']}") from None
        except BotoCoreError as error:
            raise OperateError(f"AWS cannot be reached: {error}") from None
