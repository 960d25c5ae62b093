"""How much of what a stage uses in a month, from its configuration and the traffic that it expects. Only arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.metrics import CLIENT, KIND, METRICS, MODEL, THROTTLE_KINDS, THROTTLED
from infra.config.fargate import UNITS_PER_VCPU
from infra.config.traffic import BUSY_HOURS, DAYS, HOUR_S, MONTH_H
from infra.cost import assumptions as assumed

if TYPE_CHECKING:
    from infra.config.stage import Stage

GB = 1e9


@dataclass(frozen=True)
class Use:
    """Some of an item of the price list. `keys` are the configuration that changes it."""

    what: str
    item: str
    quantity: float
    keys: tuple[str, ...] = ()
    by_traffic: bool = False
    variant: str = ""


@dataclass(frozen=True)
class Consumption:
    """What a stage uses, in quantities of the price list's units."""

    stage: Stage

    def all(self) -> list[Use]:
        """Each use, those of nothing left out."""
        parts = (self._tasks, self._way_in, self._way_out, self._data, self._keys, self._observed)
        return [use for part in parts for use in part() if use.quantity]

    @property
    def busy_tasks(self) -> int:
        """Tasks in a busy hour: what the requests in flight need, within the stage's bounds."""
        stage = self.stage
        least = stage.busy_min_tasks or stage.min_tasks
        return max(least, min(stage.max_tasks, math.ceil(stage.traffic.in_flight / stage.target_in_flight)))

    @property
    def zones(self) -> int:
        """Zones with tasks: the subnets that are given, where they are."""
        return len(self.stage.private_subnet_ids) if self.stage.vpc_id else self.stage.zones

    @property
    def nat_gateways(self) -> int:
        """NAT gateways of the stage's own."""
        if self.stage.vpc_id:
            return 0
        return self.stage.zones if self.stage.nat_gateways == "perZone" else 1

    @property
    def upstream_gb(self) -> float:
        """Between tasks and OpenAI, both ways together."""
        traffic = self.stage.traffic
        prompts = 2 if self.stage.moderate_input else 1
        return traffic.misses * (assumed.REQUEST_BYTES + prompts * assumed.PROMPT_BYTES * traffic.prompt_tokens + self._answer_bytes) / GB

    @property
    def logs_gb(self) -> float:
        """Into CloudWatch: a line for a request and for what is measured of it, of each worker, and Container Insights' own."""
        stage, windows = self.stage, self._worker_hours * assumed.WRITES_AN_HOUR
        rows = min(stage.traffic.requests, windows * assumed.CLIENTS * len(stage.models))
        insights = (2 * self._task_hours + 2 * MONTH_H) * 60
        lines = (
            stage.traffic.requests * assumed.LOG_BYTES
            + rows * assumed.ROW_BYTES
            + windows * assumed.GAUGE_BYTES
            + insights * assumed.INSIGHTS_BYTES
        )
        return lines / GB

    @property
    def secret_reads(self) -> float:
        """Each worker reads both secrets anew after their time to live: its health checks ask for them all day."""
        return assumed.SECRETS * self._worker_hours * HOUR_S / self.stage.secret_ttl_seconds

    @property
    def _task_hours(self) -> float:
        return self.stage.min_tasks * MONTH_H + self._more_hours

    @property
    def _more_hours(self) -> float:
        return (self.busy_tasks - self.stage.min_tasks) * BUSY_HOURS * DAYS

    @property
    def _worker_hours(self) -> float:
        return self._task_hours * self.stage.worker_processes

    @property
    def _answer_bytes(self) -> float:
        return assumed.ANSWER_BYTES * self.stage.traffic.output_tokens

    def _tasks(self) -> Iterator[Use]:
        stage = self.stage
        sizes = (
            ("vCPU", "vcpu", stage.task_cpu / UNITS_PER_VCPU, "taskCpu"),
            ("memory", "gb", stage.task_memory_mib / 1024, "taskMemoryMiB"),
        )
        for name, item, size, key in sizes:
            spot = stage.spot_percent / 100
            yield Use(f"tasks that always run: {name}", f"fargate-{item}", stage.min_tasks * size * MONTH_H, ("minTasks", key))
            more = size * self._more_hours
            keys = ("maxTasks", "busyMinTasks", "targetInFlight", "spotPercent", key)
            yield Use(f"tasks in busy hours: {name}", f"fargate-{item}", more * (1 - spot), keys, by_traffic=True)
            yield Use(f"tasks in busy hours, Spot: {name}", f"fargate-spot-{item}", more * spot, keys, by_traffic=True)
        if not stage.image:
            yield Use("images", "images", assumed.IMAGES_GB, ("image",))

    def _way_in(self) -> Iterator[Use]:
        stage, traffic = self.stage, self.stage.traffic
        nodes = len(stage.public_subnet_ids) if stage.vpc_id else stage.zones
        answers_gb = traffic.requests * (assumed.REQUEST_BYTES + self._answer_bytes) / GB
        through_gb = answers_gb + traffic.requests * assumed.PROMPT_BYTES * traffic.prompt_tokens / GB
        connections, open_at_once = traffic.requests / 25 / HOUR_S, traffic.in_flight * BUSY_HOURS * DAYS / 3000
        yield Use("balancer", "balancer", MONTH_H)
        yield Use("balancer: load", "balancer-lcu", max(through_gb, connections, open_at_once), ("trafficRequestsPerDay",), by_traffic=True)
        yield Use("public addresses", "ipv4", (nodes + self.nat_gateways) * MONTH_H, ("zones", "natGateways"))
        yield Use("firewall", "firewall", 1)
        yield Use("firewall: rules", "firewall-rules", assumed.FIREWALL_RULES)
        yield Use("firewall: requests", "firewall-requests", traffic.requests / 1e6, ("trafficRequestsPerDay",), by_traffic=True)
        yield Use("answers to callers, over the internet", "internet", answers_gb, ("trafficOutputTokens",), by_traffic=True)

    def _way_out(self) -> Iterator[Use]:
        stage, traffic, endpoints = self.stage, self.stage.traffic, self.stage.interface_endpoints
        prompts_gb = traffic.misses * (assumed.REQUEST_BYTES + assumed.PROMPT_BYTES * traffic.prompt_tokens) / GB
        to_aws = {"logs": self.logs_gb, "secretsmanager": self.secret_reads * assumed.REQUEST_BYTES / GB}
        nat_gb = self.upstream_gb + sum(gb for service, gb in to_aws.items() if service not in endpoints)
        keys = ("natGateways", "zones", "interfaceEndpoints")
        yield Use("prompts to OpenAI, over the internet", "internet", prompts_gb, ("trafficPromptTokens",), by_traffic=True)
        yield Use("NAT gateways", "nat", self.nat_gateways * MONTH_H, keys)
        if self.nat_gateways:
            yield Use("NAT gateways: data", "nat-gb", nat_gb, keys, by_traffic=True)
        away = (self.zones - 1) / self.zones
        if self.nat_gateways == 1:
            yield Use("to the NAT gateway of another zone", "between-zones", 2 * away * nat_gb, ("natGateways",), by_traffic=True)
        yield Use("interface endpoints", "endpoint", len(endpoints) * self.zones * MONTH_H, ("interfaceEndpoints", "zones"))
        through = sum(gb for service, gb in to_aws.items() if service in endpoints)
        yield Use("interface endpoints: data", "endpoint-gb", through, ("interfaceEndpoints",), by_traffic=True)
        cached_gb = traffic.requests * self._answer_bytes / GB if stage.cache_ttl_seconds else 0
        yield Use("to the cache in another zone", "between-zones", 2 * away * cached_gb, ("cacheTtlSeconds",), by_traffic=True)

    def _data(self) -> Iterator[Use]:
        stage, months = self.stage, self.stage.log_retention_days / DAYS
        nodes = (1 + stage.cache_replicas) * MONTH_H
        yield Use("cache", "cache-node", nodes, ("cacheNodeType", "cacheReplicas"), variant=stage.cache_node_type)
        checks = self._task_hours * self.zones * HOUR_S / stage.health_check_interval_seconds
        flows_gb = (
            0
            if stage.vpc_id
            else (checks * assumed.FLOWS_OF_A_CHECK + stage.traffic.requests * assumed.FLOWS_OF_A_REQUEST) * assumed.FLOW_BYTES / GB
        )
        accesses_gb = stage.traffic.requests * assumed.ACCESS_BYTES / GB
        yield Use("flow logs into the archive", "archive-in", flows_gb, ("healthCheckIntervalSeconds",), by_traffic=True)
        kept_gb = (flows_gb + accesses_gb) * assumed.KEPT_SHARE * months
        yield Use("archive", "archive-kept", kept_gb, ("logRetentionDays",), by_traffic=True)
        yield Use("archive: files", "archive-puts", assumed.FILES_AN_HOUR * self.zones * MONTH_H / 1000, ("zones",))
        yield Use("logs into CloudWatch", "logs-in", self.logs_gb, ("trafficRequestsPerDay",), by_traffic=True)
        yield Use("logs in CloudWatch", "logs-kept", self.logs_gb * assumed.KEPT_SHARE * months, ("logRetentionDays",), by_traffic=True)

    def _keys(self) -> Iterator[Use]:
        yield Use("encryption key", "kms-key", 1)
        yield Use("encryption key: requests", "kms-requests", self.secret_reads / 10_000, ("secretTtlSeconds",))
        yield Use("secrets", "secret", assumed.SECRETS)
        yield Use("secrets: reads", "secret-reads", self.secret_reads / 10_000, ("secretTtlSeconds",))

    def _observed(self) -> Iterator[Use]:
        stage = self.stage
        alarms = assumed.ALARM_METRICS + assumed.NODE_ALARM_METRICS * (1 + stage.cache_replicas) + assumed.SCALING_ALARM_METRICS
        alarms += assumed.BUDGET_ALARM_METRICS if stage.monthly_budget_usd else 0
        yield Use("metrics of the app", "metrics", series(len(stage.models)), ("models",))
        yield Use("metrics from log lines", "metrics", assumed.LOG_METRICS)
        yield Use("metrics of Container Insights", "metrics", assumed.INSIGHTS_METRICS)
        yield Use("alarms", "alarms", alarms, ("cacheReplicas",))
        yield Use("alarms of alarms", "composite-alarms", assumed.COMPOSITE_ALARMS)
        yield Use("dashboard", "dashboard", assumed.DASHBOARDS)


def series(models: int) -> int:
    """Series that the app's metrics are, which is what CloudWatch counts: one for each value that a set of dimensions takes."""
    found = 0
    for metric in METRICS:
        values = {CLIENT: assumed.CLIENTS, MODEL: models + 1, KIND: len(THROTTLE_KINDS) if metric is THROTTLED else assumed.ERROR_KINDS}
        found += 1 + sum(values[dimension] for dimension in metric.dimensions)
    return found
