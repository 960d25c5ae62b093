"""Reads from AWS Secrets Manager. Imported late and in a thread: boto3 costs a fifth of a second."""

from __future__ import annotations

from collections.abc import Callable

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

TIMEOUT_S = 2


def secret_reader(secret_id: str, version: str = "AWSCURRENT") -> Callable[[], str]:
    """A function that reads the secret's text of that version stage; it blocks, so call it in a thread.

    Without a region in the environment, the one that the secret's ARN names is used.
    """
    parts = secret_id.split(":")
    region = parts[3] if secret_id.startswith("arn:") and len(parts) > 3 else None  # noqa: PLR2004  arn:aws:secretsmanager:region:…
    config = Config(connect_timeout=TIMEOUT_S, read_timeout=TIMEOUT_S, retries={"mode": "standard", "total_max_attempts": 2})
    client = boto3.session.Session().client("secretsmanager", region_name=region, config=config)

    def read() -> str:
        return str(client.get_secret_value(SecretId=secret_id, VersionStage=version).get("SecretString") or "")

    return read


def reason(failure: Exception) -> str:
    """AWS's own code for a failure, such as AccessDeniedException; its message is left out."""
    return str(failure.response["Error"]["Code"]) if isinstance(failure, ClientError) else type(failure).__name__
