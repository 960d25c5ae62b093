"""Reads from AWS Secrets Manager. Imported late and in a thread: boto3 costs a fifth of a second."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import Any, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

TIMEOUT_S = 2
_LOCK = Lock()


class Version(NamedTuple):
    """What a secret holds since when, in seconds since 1970."""

    text: str
    created_s: float


def secret_reader(secret_id: str, stage: str = "AWSCURRENT") -> Callable[[], Version]:
    """A function that reads the secret's version of that stage; it blocks, so call it in a thread.

    Without a region in the environment, the one that the secret's ARN names is used.
    """
    parts = secret_id.split(":")
    region = parts[3] if secret_id.startswith("arn:") and len(parts) > 3 else None  # noqa: PLR2004  arn:aws:secretsmanager:region:…
    with _LOCK:  # secrets are read at the same time, in threads
        client = secrets_manager(region)

    def read() -> Version:
        found = client.get_secret_value(SecretId=secret_id, VersionStage=stage)
        return Version(str(found.get("SecretString") or ""), found["CreatedDate"].timestamp())

    return read


@cache
def secrets_manager(region: str | None) -> Any:
    """One client for all secrets: each takes 8 MB and a twentieth of a second."""
    config = Config(connect_timeout=TIMEOUT_S, read_timeout=TIMEOUT_S, retries={"mode": "standard", "total_max_attempts": 2})
    return boto3.session.Session().client("secretsmanager", region_name=region, config=config)


def reason(failure: Exception) -> str:
    """AWS's own code for a failure, such as AccessDeniedException; its message is left out."""
    return str(failure.response["Error"]["Code"]) if isinstance(failure, ClientError) else type(failure).__name__
