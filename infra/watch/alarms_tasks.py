"""What ECS says of the service: tasks that stop, that are missing, that are short of CPU or memory."""

from __future__ import annotations

from infra.config.stage import Stage
from infra.service import Service
from infra.watch.alarm import FIVE_MINUTES_S, QUARTER_HOUR_S, Alarm, Silence
from infra.watch.series import Series
from infra.watch.stops import Stops

CPU_PERCENT = 85
MEMORY_PERCENT = 85
STOPS = 3


def of_service(service: Service, namespace: str, name: str, stat: str) -> Series:
    return Series(namespace, name, stat, {"ClusterName": service.cluster_name, "ServiceName": service.service_name})


def from_ecs(stage: Stage, service: Service, stops: Stops) -> list[Alarm]:
    """All of them."""
    return [
        Alarm(
            name="task-stops",
            means=f"{STOPS} tasks or more stopped by themselves within a quarter of an hour: they crashed, or answered no health checks.",
            look="the log group of stops, which keeps the reason of each, and the tasks' last log lines",
            series={"stops": stops.counted},
            at_least=STOPS,
            period_s=QUARTER_HOUR_S,
            silence=Silence.WELL,
            urgent=False,
            tells_end=False,
        ),
        Alarm(
            name="missing-tasks",
            means="Fewer tasks run than the service wants, for 20 minutes: they do not start, or AWS has no room for them.",
            look="the service's last events",
            series={
                "desired": of_service(service, "ECS/ContainerInsights", "DesiredTaskCount", "Minimum"),
                "running": of_service(service, "ECS/ContainerInsights", "RunningTaskCount", "Maximum"),
            },
            expressions={"missing": "desired - running"},
            at_least=1,
            period_s=FIVE_MINUTES_S,
            periods=4,
            silence=Silence.UNKNOWN,
            urgent=False,
        ),
        Alarm(
            name="cpu",
            means=f"Tasks use more than {CPU_PERCENT} % of their CPU for 15 minutes; scaling aims at {stage.target_cpu_percent} %.",
            look="whether there are maxTasks tasks already, and what scaling last did",
            series={"cpu": of_service(service, "AWS/ECS", "CPUUtilization", "Average")},
            above=CPU_PERCENT,
            period_s=FIVE_MINUTES_S,
            periods=3,
            silence=Silence.UNKNOWN,
            urgent=False,
        ),
        Alarm(
            name="memory",
            means=f"A task uses more than {MEMORY_PERCENT} % of its memory for a quarter of an hour; at 100 % it is killed.",
            look="whether it grew since the last deployment, or follows requests in flight",
            series={"memory": of_service(service, "AWS/ECS", "MemoryUtilization", "Maximum")},
            above=MEMORY_PERCENT,
            period_s=FIVE_MINUTES_S,
            periods=3,
            silence=Silence.UNKNOWN,
            urgent=False,
        ),
    ]
