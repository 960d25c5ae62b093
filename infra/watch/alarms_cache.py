"""What Valkey says of itself; each alarm looks at all of its nodes."""

from __future__ import annotations

from dataclasses import dataclass

from infra.cache import Cache
from infra.config.stage import Stage
from infra.watch.alarm import FIVE_MINUTES_S, Alarm, Silence
from infra.watch.series import Series

NAMESPACE = "AWS/ElastiCache"
ENGINE_PERCENT, HOST_PERCENT, MEMORY_PERCENT = 80, 80, 90
EVICTIONS = 1000
CONNECTIONS_OF_A_WORKER = 5
"""One, and those that it lost and made again since."""
CONNECTIONS_OF_AWS = 50
"""Replication, backups and what watches the nodes."""


@dataclass(frozen=True)
class Reading:
    metric: str
    stat: str
    joined: str
    """The function that makes one value of the nodes' values."""


def from_cache(stage: Stage, cache: Cache, lost: Series) -> list[Alarm]:
    """All of them; `lost` counts how often the app lost it. In a deployment there are twice the tasks."""
    connections = 2 * stage.max_tasks * stage.worker_processes * CONNECTIONS_OF_A_WORKER + CONNECTIONS_OF_AWS
    described = {
        "cache-cpu": (
            Reading("EngineCPUUtilization", "Average", "MAX"),
            ENGINE_PERCENT,
            f"Valkey's own thread uses more than {ENGINE_PERCENT} % of its CPU; from 100 % on every request waits for it.",
            "the commands that it gets, and requests a second",
        ),
        "cache-host-cpu": (
            Reading("CPUUtilization", "Average", "MAX"),
            HOST_PERCENT,
            f"A node of Valkey uses more than {HOST_PERCENT} % of its CPU; small node types slow down when their credits are used up.",
            "the node type (cacheNodeType) and its CPU credits",
        ),
        "cache-memory": (
            Reading("DatabaseMemoryUsagePercentage", "Maximum", "MAX"),
            MEMORY_PERCENT,
            f"Valkey's memory is more than {MEMORY_PERCENT} % full; soon it drops kept answers and callers' rates to make room.",
            "how many answers are kept and for how long (cacheTtlSeconds)",
        ),
        "cache-evictions": (
            Reading("Evictions", "Sum", "SUM"),
            EVICTIONS,
            f"Valkey dropped more than {EVICTIONS} keys in five minutes to make room, three times: answers are paid for again.",
            "memory, and the rate of cache hits",
        ),
        "cache-connections": (
            Reading("CurrConnections", "Maximum", "MAX"),
            connections,
            f"A node of Valkey has more than {connections} connections, some for each worker that there can be: they are not closed.",
            "which tasks hold them, and whether workers start over and over",
        ),
    }
    gone = Alarm(
        name="cache-lost",
        means="The app lost Valkey: until it is back nothing is cached, limits are estimated and budgets in dollars refuse everything.",
        look="the replication group's status and events, and whether the log says valkey_connected since",
        series={"lost": lost},
        at_least=1,
        period_s=FIVE_MINUTES_S,
        silence=Silence.WELL,
        urgent=True,
        tells_end=False,
    )
    return [
        gone,
        *(
            Alarm(
                name=name,
                means=means,
                look=look,
                series=(nodes := of_nodes(cache, reading.metric, reading.stat)),
                expressions={"of_nodes": f"{reading.joined}([{', '.join(nodes)}])"},
                above=above,
                period_s=FIVE_MINUTES_S,
                periods=3,
                silence=Silence.UNKNOWN,
                urgent=False,
            )
            for name, (reading, above, means, look) in described.items()
        ),
    ]


def of_nodes(cache: Cache, name: str, stat: str) -> dict[str, Series]:
    """The metric of each node."""
    return {f"node{number}": Series(NAMESPACE, name, stat, {"CacheClusterId": node}) for number, node in enumerate(cache.nodes, start=1)}
