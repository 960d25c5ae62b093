"""What the balancer and the firewall see: answers that failed, tasks that are not well, requests that were refused."""

from __future__ import annotations

from pulumi import Output

from infra.balancer import Balancer
from infra.config.stage import Stage
from infra.firewall import Firewall
from infra.watch.alarm import FIVE_MINUTES_S, MINUTE_S, QUARTER_HOUR_S, Alarm, Silence, share
from infra.watch.series import Series

NAMESPACE = "AWS/ApplicationELB"
FAILED_PERCENT = 5
LEAST_REQUESTS = 20
"""Requests in a period below which shares of them mean nothing: one failure is then 5 % at most."""
REFUSED_PERCENT, LEAST_AT_FIREWALL = 20, 200
"""Robots that try every address are refused all day, some dozens in five minutes."""


def of_balancer(balancer: Balancer, name: str, stat: str) -> Series:
    return Series(NAMESPACE, name, stat, {"LoadBalancer": balancer.arn_suffix})


def of_tasks(balancer: Balancer, name: str, stat: str) -> Series:
    """Of the target group: `HealthyHostCount` and the like, of which AWS has a value for each of the balancer's own nodes."""
    return Series(NAMESPACE, name, stat, {"LoadBalancer": balancer.arn_suffix, "TargetGroup": balancer.target_group_arn_suffix})


def of_firewall(stage: Stage, firewall_name: Output[str], name: str) -> Series:
    return Series("AWS/WAFV2", name, "Sum", {"WebACL": firewall_name, "Region": stage.region, "Rule": "ALL"})


def for_deployments(balancer: Balancer) -> list[Alarm]:
    """Those that say that a deployment broke the service: they take three minutes, and never count what callers did wrong (4xx, 429).

    Both count nothing before there is a service, because ECS ignores its alarms for a whole deployment when one of them is on as it begins.
    """
    failed, percent = _failed(balancer)
    return [
        Alarm(
            name="server-errors",
            means=f"More than {FAILED_PERCENT} % of answers were 5xx, in 3 of 5 minutes.",
            look="whether a deployment is running, errors by kind on the dashboard, and OpenAI's status page",
            series=failed,
            expressions=percent,
            above=FAILED_PERCENT,
            period_s=MINUTE_S,
            periods=3,
            of=5,
            silence=Silence.WELL,
            urgent=True,
        ),
        Alarm(
            name="unhealthy-tasks",
            means="A task answered no health check for 3 of 5 minutes; it gets no requests, and ECS replaces it.",
            look="what /readyz answers (it names what is missing) and the task's last log lines",
            series={"unhealthy": of_tasks(balancer, "UnHealthyHostCount", "Maximum")},
            at_least=1,
            period_s=MINUTE_S,
            periods=3,
            of=5,
            silence=Silence.WELL,
            urgent=False,
        ),
    ]


def from_balancer(stage: Stage, balancer: Balancer, firewall: Firewall) -> list[Alarm]:
    """The others."""
    failed, percent = _failed(balancer)
    healthy = {"healthy": of_tasks(balancer, "HealthyHostCount", "Minimum")}
    return [
        Alarm(
            name="server-errors-slow",
            means=f"More than {FAILED_PERCENT} % of a quarter of an hour's answers were 5xx: too few at a time for the fast alarm.",
            look="errors by kind on the dashboard, and the log for the codes of those requests",
            series=failed,
            expressions=percent,
            above=FAILED_PERCENT,
            period_s=QUARTER_HOUR_S,
            silence=Silence.WELL,
            urgent=False,
        ),
        Alarm(
            name="no-healthy-task",
            means="No task is healthy: every caller gets 503 from the balancer.",
            look="the service's last events and why its last tasks stopped",
            series=healthy,
            below=1,
            period_s=MINUTE_S,
            periods=2,
            silence=Silence.WRONG,  # the balancer counts as long as it has any task
            urgent=True,
        ),
        Alarm(
            name="few-healthy-tasks",
            means=f"Fewer than {stage.min_tasks} tasks (minTasks) were healthy for a quarter of an hour: the next failure may be felt.",
            look="the service's last events and why its last tasks stopped",
            series=healthy,
            below=stage.min_tasks,
            period_s=FIVE_MINUTES_S,
            periods=3,
            silence=Silence.WRONG,
            urgent=False,
        ),
        Alarm(
            name="firewall",
            means=f"The firewall refused more than {REFUSED_PERCENT} % of requests for a quarter of an hour: an attack, or honest callers.",
            look="which rule refused whom, in the firewall's log",
            series={
                "blocked": of_firewall(stage, firewall.name, "BlockedRequests"),
                "requests": of_balancer(balancer, "RequestCount", "Sum"),
            },
            expressions={
                "refused": "FILL(blocked, 0)",
                "asked": "FILL(requests, 0) + FILL(blocked, 0)",
                "percent": share("refused", "asked", LEAST_AT_FIREWALL),
            },
            above=REFUSED_PERCENT,
            period_s=FIVE_MINUTES_S,
            periods=3,
            silence=Silence.WELL,
            urgent=False,
        ),
    ]


def _failed(balancer: Balancer) -> tuple[dict[str, Series], dict[str, str]]:
    """The share of 5xx. Those of the balancer itself (no task, no answer in time) are not among its requests: they reached no task."""
    names = {"requests": "RequestCount", "tasks": "HTTPCode_Target_5XX_Count", "balancer": "HTTPCode_ELB_5XX_Count"}
    expressions = {
        "failed": "FILL(tasks, 0) + FILL(balancer, 0)",
        "asked": "FILL(requests, 0) + FILL(balancer, 0)",
        "percent": share("failed", "asked", LEAST_REQUESTS),
    }
    return {key: of_balancer(balancer, name, "Sum") for key, name in names.items()}, expressions
