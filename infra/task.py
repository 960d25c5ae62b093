"""The container of a task, as ECS's JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from app.settings import Settings

CONTAINER = "app"
PORT: int = Settings.model_fields["port"].default
SCRATCH = "tmp"
USER = "10001:10001"
LOG_BUFFER = "8m"
HEALTHY = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{PORT}/healthz', timeout=3)"


def definition(*, image: str, environment: Mapping[str, str], stop_s: int, log_group: str, region: str) -> str:
    """The container definitions: sorted and without what is empty, because what AWS would write differently reads as a change.

    The container cannot write but to /tmp, has no capability, is nobody, and has an init process that reaps what the app leaves.
    Logs never block the app: when CloudWatch is away, the oldest lines are dropped.
    """
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": image,
        "portMappings": [{"containerPort": PORT, "hostPort": PORT, "protocol": "tcp"}],
        "environment": [{"name": name, "value": value} for name, value in sorted(environment.items()) if value],
        "essential": True,
        "user": USER,
        "readonlyRootFilesystem": True,
        "mountPoints": [{"sourceVolume": SCRATCH, "containerPath": "/tmp"}],  # noqa: S108  the task's own
        "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}},
        "stopTimeout": stop_s,
        "healthCheck": {"command": ["CMD", "python", "-c", HEALTHY], "interval": 30, "timeout": 5, "retries": 3, "startPeriod": 30},
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": log_group,
                "awslogs-region": region,
                "awslogs-stream-prefix": CONTAINER,
                "mode": "non-blocking",
                "max-buffer-size": LOG_BUFFER,
            },
        },
    }
    return json.dumps([container], sort_keys=True, separators=(",", ":"))
