"""What a stage's values must satisfy together. Each rule names the values it needs, and yields a line for each problem."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from infra.config.fargate import MEMORY_MIB
from infra.config.timeouts import Timeouts
from infra.config.traffic import Traffic, shares

HTTPS = 443
LEAST_ZONES = 2
WHOLE = 100
ZONES = {"us-west-1": 2}
"""Regions with fewer than three zones for everyone."""


def enough_zones(region: str, zones: int) -> Iterator[str]:
    if zones > ZONES.get(region, zones):
        yield f"zones = {zones}: {region} has {ZONES[region]}"


def tasks_in_order(min_tasks: int, max_tasks: int) -> Iterator[str]:
    if min_tasks > max_tasks:
        yield f"minTasks = {min_tasks}: must not be more than maxTasks = {max_tasks}"


def fargate_size(task_cpu: int, task_memory_mib: int) -> Iterator[str]:
    if task_memory_mib not in (sizes := MEMORY_MIB[task_cpu]):
        yield f"taskMemoryMiB = {task_memory_mib}: with taskCpu = {task_cpu} Fargate has {_ranges(sizes)}"


def domain_or_plain(domain: str, allow_plain_http: bool, protect: bool) -> Iterator[str]:  # noqa: FBT001  the stage's values
    if protect and allow_plain_http:
        yield "allowPlainHttp = true: a protected stage (protect = true) never serves plain HTTP; allowed: false, with a domain"
    elif protect and not domain:
        yield "domain is unset: a protected stage (protect = true) serves HTTPS only; allowed: a name as gateway.example.com"
    elif not domain and not allow_plain_http:
        yield "domain is unset: without one callers' keys cross the internet unencrypted; set it, or allow that by allowPlainHttp = true"


def domain_with_zone(domain: str, hosted_zone_id: str) -> Iterator[str]:
    if domain and not hosted_zone_id:
        yield f"hostedZoneId is unset: domain = {domain!r} needs the Route 53 zone that holds its records"
    if hosted_zone_id and not domain:
        yield f"hostedZoneId = {hosted_zone_id!r}: stands without a domain; set both or none"


def timeouts(request_timeout_seconds: int, ping_seconds: int, idle_timeout_seconds: int, drain_seconds: int) -> Iterator[str]:
    yield from Timeouts(request_timeout_seconds, ping_seconds, idle_timeout_seconds, drain_seconds).problems()


def encrypted_upstream(openai_base_url: str, protect: bool) -> Iterator[str]:  # noqa: FBT001  the stage's values
    if protect and not openai_base_url.startswith("https://"):
        yield f"openaiBaseUrl = {openai_base_url!r}: a protected stage (protect = true) calls OpenAI over https:// only"


def reachable_upstream(openai_base_url: str) -> Iterator[str]:
    address = urlsplit(openai_base_url)
    if address.scheme == "https" and address.port not in (None, HTTPS):
        yield f"openaiBaseUrl = {openai_base_url!r}: tasks reach the internet on port {HTTPS} only"


def output_tokens_in_order(default_output_tokens: int, max_output_tokens: int) -> Iterator[str]:
    if default_output_tokens > max_output_tokens:
        yield f"defaultOutputTokens = {default_output_tokens}: must not be more than maxOutputTokens = {max_output_tokens}"


def ladder_climbs(spend_ladder: str) -> Iterator[str]:
    shares = [float(step.split(":")[0]) for step in spend_ladder.split(",") if step]
    if any(later <= earlier for earlier, later in pairwise(shares)):
        yield f"spendLadder = {spend_ladder!r}: each share must be more than the one before"


def mails_for_alarms(alarm_mails: tuple[str, ...], protect: bool) -> Iterator[str]:  # noqa: FBT001  the stage's values
    if protect and not alarm_mails:
        yield "alarmMails is unset: alarms of a protected stage (protect = true) must reach somebody; allowed: one mail address or more"


def network_of_ones_own(vpc_id: str, public_subnet_ids: tuple[str, ...], private_subnet_ids: tuple[str, ...]) -> Iterator[str]:
    for key, ids in (("publicSubnetIds", public_subnet_ids), ("privateSubnetIds", private_subnet_ids)):
        if vpc_id and len(ids) < LEAST_ZONES:
            yield f"{key} = {json.dumps(ids)}: vpcId = {vpc_id!r} needs {LEAST_ZONES} or more of its subnets here, in different zones"
        if ids and not vpc_id:
            yield f"{key} = {json.dumps(ids)}: vpcId is unset; set the network that they are in, or none of them"
    if both := sorted(set(public_subnet_ids) & set(private_subnet_ids)):
        yield f"privateSubnetIds = {json.dumps(private_subnet_ids)}: {', '.join(both)} stands in publicSubnetIds too; tasks need their own"


def busy_hours(min_tasks: int, max_tasks: int, busy_min_tasks: int) -> Iterator[str]:
    if busy_min_tasks and not min_tasks < busy_min_tasks <= max_tasks:
        yield f"busyMinTasks = {busy_min_tasks}: must be more than minTasks = {min_tasks}, and not more than maxTasks = {max_tasks}; or 0"


def model_mix(traffic_model_mix: str, models: tuple[str, ...]) -> Iterator[str]:
    found = shares(traffic_model_mix, models)
    if unknown := sorted(found.keys() - set(models)):
        yield f"trafficModelMix = {traffic_model_mix!r}: {', '.join(unknown)} is not among models = {json.dumps(models)}"
    if (percent := round(sum(found.values()) * 100)) != WHOLE:
        yield f"trafficModelMix = {traffic_model_mix!r}: the shares are {percent} together; allowed: {WHOLE}"


def tasks_that_are_fed(  # noqa: PLR0913  the terms of one calculation
    *,
    min_tasks: int,
    max_tasks: int,
    target_in_flight: int,
    openai_tokens_per_minute: int,
    traffic_prompt_tokens: int,
    traffic_output_tokens: int,
    traffic_seconds: int,
) -> Iterator[str]:
    if not openai_tokens_per_minute:
        return
    traffic = Traffic(0, traffic_prompt_tokens, traffic_output_tokens, traffic_seconds, 0)
    most = max(min_tasks, traffic.fed(openai_tokens_per_minute, target_in_flight))
    if max_tasks > most:
        yield (
            f"maxTasks = {max_tasks}: openaiTokensPerMinute = {openai_tokens_per_minute} keeps {most} busy, more would only wait for "
            f"OpenAI: a task at targetInFlight = {target_in_flight} uses {target_in_flight} x 60 / {traffic_seconds} s x "
            f"({traffic_prompt_tokens} + {traffic_output_tokens}) tokens = {traffic.tokens_per_minute(target_in_flight):.0f} a minute; "
            f"allowed: up to {most}"
        )


RULES: tuple[Callable[..., Iterator[str]], ...] = (
    enough_zones,
    tasks_in_order,
    fargate_size,
    domain_or_plain,
    domain_with_zone,
    timeouts,
    encrypted_upstream,
    reachable_upstream,
    output_tokens_in_order,
    ladder_climbs,
    mails_for_alarms,
    network_of_ones_own,
    busy_hours,
    model_mix,
    tasks_that_are_fed,
)


def broken(values: Mapping[str, Any]) -> list[str]:
    """The problems of these values; a rule that misses one of its own, because that was refused already, is left out."""
    found: list[str] = []
    for rule in RULES:
        needs = inspect.signature(rule).parameters
        if needs.keys() <= values.keys():
            found += rule(**{name: values[name] for name in needs})
    return found


def _ranges(sizes: tuple[int, ...]) -> str:
    steps = {later - earlier for earlier, later in pairwise(sizes)}
    return f"{sizes[0]} to {sizes[-1]} in steps of {steps.pop()}" if len(steps) == 1 else ", ".join(map(str, sizes))
