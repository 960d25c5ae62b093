"""What the app says of itself: how long answers take, what OpenAI and the budget refuse, how old the key is, what it logs as errors."""

from __future__ import annotations

from app.metrics import (
    BUDGET_SHARE,
    IN_FLIGHT,
    KEY_AGE,
    KIND,
    LATENCY,
    REQUESTS,
    THROTTLE_KINDS,
    THROTTLED,
    TIME_TO_FIRST_TOKEN,
    Metric,
)
from app.settings import Settings
from infra.config.stage import Stage
from infra.watch.alarm import DAY_S, FIVE_MINUTES_S, HOUR_S, MINUTE_S, Alarm, Silence, share
from infra.watch.series import Series, emitted

RATE_LIMIT, QUOTA, SPEND_LIMIT, OWN = THROTTLE_KINDS
NAMES = {RATE_LIMIT: "rate-limit", QUOTA: "quota", SPEND_LIMIT: "spend-limit", OWN: "own-limits"}
MAX_IN_FLIGHT: int = Settings.model_fields["max_in_flight"].default
FULL_PERCENT = 90
SLOW_ANSWER, SLOW_FIRST_TOKEN = 6, 2
"""By how much the slowest hundredth may take longer than OpenAI takes for an average request."""
PATIENCE_PERCENT = 80
"""Share of the request timeout above which answers are slow, however long an average one may take."""
LEAST_ANSWERS, LEAST_REQUESTS = 50, 20
"""In five minutes; of fewer than 50 answers the slowest hundredth is one."""
OPENAI_REFUSES_PERCENT, WE_REFUSE_PERCENT = 5, 20
BUDGET_PERCENT, BUDGET_NEARLY_SPENT_PERCENT = 80, 95
LOGGED_ERRORS = 5


def from_app(stage: Stage, logged: Series) -> list[Alarm]:
    """All of them; `logged` counts the errors in the log."""
    return [
        _slow(stage, "latency", LATENCY, SLOW_ANSWER, "complete answers"),
        _slow(stage, "first-token", TIME_TO_FIRST_TOKEN, SLOW_FIRST_TOKEN, "first tokens of streams"),
        _full(stage),
        _silent(stage),
        _unpaid(stage, QUOTA, "OpenAI says that the quota is used up: requests to it fail until somebody pays."),
        _unpaid(stage, SPEND_LIMIT, "The spend limit at OpenAI is reached: requests to it fail until it is raised or the month ends."),
        _refused(stage, RATE_LIMIT, "OpenAI refused", OPENAI_REFUSES_PERCENT, "OpenAI's limits of the stage's project"),
        _refused(stage, OWN, "Our own limits refused", WE_REFUSE_PERCENT, "who is refused, by client, in the log"),
        *(_budgets(stage) if stage.monthly_budget_usd else ()),
        Alarm(
            name="key-age",
            means=f"The OpenAI key is older than {stage.max_key_age_days} days (maxKeyAgeDays). It works, and who has seen it can use it.",
            look="who may read the secret, then put a new key in: nothing needs a restart",
            series={"age": emitted(KEY_AGE, stage.name, "Maximum")},
            above=stage.max_key_age_days * DAY_S,
            period_s=HOUR_S,
            silence=Silence.KEEP,
            urgent=False,
        ),
        Alarm(
            name="logged-errors",
            means=f"The app logged {LOGGED_ERRORS} errors or more in five minutes: each is something that it cannot mend itself.",
            look="the log's lines of level error, by event",
            series={"logged": logged},
            at_least=LOGGED_ERRORS,
            period_s=FIVE_MINUTES_S,
            silence=Silence.WELL,
            urgent=False,
            tells_end=False,
        ),
    ]


def _slow(stage: Stage, name: str, metric: Metric, factor: int, what: str) -> Alarm:
    limit_s = min(factor * stage.traffic_seconds, stage.timeouts.request_s * PATIENCE_PERCENT // 100)
    return Alarm(
        name=name,
        means=f"The slowest hundredth of {what} took longer than {limit_s} s, for a quarter of an hour.",
        look="which model it is, and OpenAI's status page; then CPU and requests in flight",
        series={"slowest": emitted(metric, stage.name, "p99"), "counted": emitted(metric, stage.name, "SampleCount")},
        expressions={"milliseconds": f"IF(FILL(counted, 0) >= {LEAST_ANSWERS}, slowest, 0)"},
        above=limit_s * 1000,
        period_s=FIVE_MINUTES_S,
        periods=3,
        silence=Silence.WELL,
        urgent=False,
    )


def _full(stage: Stage) -> Alarm:
    most = MAX_IN_FLIGHT * FULL_PERCENT // 100
    return Alarm(
        name="in-flight",
        means=f"A worker process had {most} requests in flight in 3 of 5 minutes; from {MAX_IN_FLIGHT} on callers get 503.",
        look="whether there are maxTasks tasks already, and whether OpenAI became slow",
        series={"in_flight": emitted(IN_FLIGHT, stage.name, "Maximum")},
        at_least=most,
        period_s=MINUTE_S,
        periods=3,
        of=5,
        silence=Silence.WELL,  # `no-metrics` tells
        urgent=True,
    )


def _silent(stage: Stage) -> Alarm:
    return Alarm(
        name="no-metrics",
        means="The app's metrics stopped for ten minutes: scaling and most of these alarms are blind.",
        look="whether tasks run, and whether their log still arrives",
        series={"looks": emitted(IN_FLIGHT, stage.name, "SampleCount")},
        below=1,
        period_s=FIVE_MINUTES_S,
        periods=2,
        silence=Silence.WRONG,
        urgent=True,
    )


def _unpaid(stage: Stage, kind: str, means: str) -> Alarm:
    return Alarm(
        name=NAMES[kind],
        means=means,
        look="billing and limits of the stage's project at OpenAI",
        series={"refused": emitted(THROTTLED, stage.name, "Sum", **{KIND: kind})},
        at_least=1,
        period_s=MINUTE_S,
        silence=Silence.WELL,
        urgent=True,
        tells_end=False,
    )


def _refused(stage: Stage, kind: str, who: str, percent: int, look: str) -> Alarm:
    return Alarm(
        name=NAMES[kind],
        means=f"{who} more than {percent} % of requests with 429, for a quarter of an hour.",
        look=look,
        series={
            "throttled": emitted(THROTTLED, stage.name, "Sum", **{KIND: kind}),
            "requests": emitted(REQUESTS, stage.name, "Sum"),
        },
        expressions={
            "refused": "FILL(throttled, 0)",
            "asked": "FILL(requests, 0)",
            "percent": share("refused", "asked", LEAST_REQUESTS),
        },
        above=percent,
        period_s=FIVE_MINUTES_S,
        periods=3,
        silence=Silence.WELL,
        urgent=False,
    )


def _budgets(stage: Stage) -> list[Alarm]:
    return [
        Alarm(
            name=name,
            means=f"{percent} % of the month's {stage.monthly_budget_usd} dollars are spent at OpenAI; what follows: {stage.spend_ladder}.",
            look="cost by client and model on the dashboard, or at /usage",
            series={"share": emitted(BUDGET_SHARE, stage.name, "Maximum")},
            at_least=percent,
            period_s=FIVE_MINUTES_S,
            silence=Silence.KEEP,
            urgent=urgent,
        )
        for name, percent, urgent in (("budget", BUDGET_PERCENT, False), ("budget-nearly-spent", BUDGET_NEARLY_SPENT_PERCENT, True))
    ]
