"""The connection to Valkey, by valkey-glide. Imported late and in a thread: glide costs a third of a second."""

from __future__ import annotations

import os
import sys
from urllib.parse import unquote, urlsplit

sys.modules.setdefault("trio", None)  # type: ignore[arg-type]  # else glide takes it along: 3 MB and 60 ms for an event loop not used here

from glide import (  # noqa: E402
    AdvancedGlideClientConfiguration,
    BackoffStrategy,
    GlideClient,
    GlideClientConfiguration,
    IamAuthConfig,
    Logger,
    LogLevel,
    NodeAddress,
    Script,
    ServerCredentials,
    ServiceType,
)

__all__ = ["Script", "configuration", "connect"]
PORT = 6379


def configuration(url: str, iam_cluster: str, timeout_s: float) -> GlideClientConfiguration:
    """What glide needs to know: TLS by the URL's scheme, and IAM tokens signed for the replication group when one is named.

    Tokens are signed with the task role's credentials and renewed by the client itself. It connects with the first command, because
    connecting at once would hold up the whole event loop until Valkey answers.
    """
    parts = urlsplit(url)
    user = unquote(parts.username or "")
    credentials = None
    if iam_cluster:
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
        iam = IamAuthConfig(cluster_name=iam_cluster, service=ServiceType.ELASTICACHE, region=region)
        credentials = ServerCredentials(username=user, iam_config=iam)
    elif parts.password:
        credentials = ServerCredentials(username=user or None, password=unquote(parts.password))
    return GlideClientConfiguration(
        [NodeAddress(parts.hostname or "localhost", parts.port or PORT)],
        use_tls=parts.scheme == "rediss",
        credentials=credentials,
        request_timeout=int(timeout_s * 1000),
        reconnect_strategy=BackoffStrategy(num_of_retries=3, factor=100, exponent_base=2),
        client_name="gateway",
        lazy_connect=True,
        advanced_config=AdvancedGlideClientConfiguration(connection_timeout=1000),
    )


async def connect(url: str, iam_cluster: str, timeout_s: float) -> GlideClient:
    Logger.init(LogLevel.OFF)  # our own log says what is wrong, in JSON
    return await GlideClient.create(configuration(url, iam_cluster, timeout_s))
