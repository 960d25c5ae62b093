"""The metrics of the gateway, each described once: what the app emits, and what dashboards and alarms are made from.

`name`, `unit` and `dimensions` are CloudWatch's; every metric has the dimension Stage, alone and, for each further one, beside it:
`Requests` of [Stage], of [Stage, Client] and of [Stage, Model]. `prometheus` is the same metric at `/metrics`, in Prometheus' base units.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

NAMESPACE = "OpenAIGateway"
STAGE, CLIENT, MODEL, KIND = "Stage", "Client", "Model", "Kind"


class MetricType(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, eq=False)  # each is one object: compared and hashed by identity
class Metric:
    name: str
    unit: str
    dimensions: tuple[str, ...]
    """Those beside Stage."""
    type: MetricType
    prometheus: str
    description: str

    @property
    def dimension_sets(self) -> list[list[str]]:
        """The sets that its values are found under in CloudWatch."""
        return [[STAGE], *([STAGE, dimension] for dimension in self.dimensions)]


_COUNTER, _GAUGE, _HISTOGRAM = MetricType.COUNTER, MetricType.GAUGE, MetricType.HISTOGRAM

REQUESTS = Metric("Requests", "Count", (CLIENT, MODEL), _COUNTER, "gateway_requests_total", "Requests to the API that were answered.")
ERRORS = Metric("Errors", "Count", (KIND,), _COUNTER, "gateway_errors_total", "Requests that ended in an error, by its code.")
LATENCY = Metric(
    "Latency", "Milliseconds", (MODEL,), _HISTOGRAM, "gateway_latency_seconds", "Time to the last byte of a model's complete answer."
)
TIME_TO_FIRST_TOKEN = Metric(
    "TimeToFirstToken",
    "Milliseconds",
    (MODEL,),
    _HISTOGRAM,
    "gateway_time_to_first_token_seconds",
    "Time to the first event of a model's streamed answer.",
)
PROMPT_TOKENS = Metric(
    "PromptTokens", "Count", (MODEL,), _COUNTER, "gateway_prompt_tokens_total", "Tokens that models read; answers from the cache read none."
)
COMPLETION_TOKENS = Metric(
    "CompletionTokens",
    "Count",
    (MODEL,),
    _COUNTER,
    "gateway_completion_tokens_total",
    "Tokens that models wrote; answers from the cache are not counted.",
)
COST = Metric("Cost", "None", (CLIENT, MODEL), _COUNTER, "gateway_cost_usd_total", "What OpenAI's answers cost, in US dollars.")
SAVED = Metric(
    "Saved", "None", (MODEL,), _COUNTER, "gateway_saved_usd_total", "What answers from the cache would have cost, in US dollars."
)
CACHE_HITS = Metric("CacheHits", "Count", (MODEL,), _COUNTER, "gateway_cache_hits_total", "Requests answered from the cache.")
CACHE_MISSES = Metric("CacheMisses", "Count", (MODEL,), _COUNTER, "gateway_cache_misses_total", "Requests that the cache had no answer to.")
RETRIES = Metric("Retries", "Count", (MODEL,), _COUNTER, "gateway_retries_total", "Calls to OpenAI that repeated one that failed.")
THROTTLED = Metric(
    "Throttled", "Count", (KIND,), _COUNTER, "gateway_throttled_total", "429s: OpenAI's rate_limit, quota and spend_limit, and our own."
)
IN_FLIGHT = Metric("InFlight", "Count", (), _GAUGE, "gateway_in_flight", "Requests in flight in a worker process, looked at every second.")
BUDGET_SHARE = Metric(
    "BudgetShare", "Percent", (), _GAUGE, "gateway_budget_share_ratio", "Share of the stage's monthly budget that is spent."
)
KEY_AGE = Metric("KeyAge", "Seconds", (), _GAUGE, "gateway_key_age_seconds", "Time since the OpenAI key was put into Secrets Manager.")

METRICS = (
    REQUESTS,
    ERRORS,
    LATENCY,
    TIME_TO_FIRST_TOKEN,
    PROMPT_TOKENS,
    COMPLETION_TOKENS,
    COST,
    SAVED,
    CACHE_HITS,
    CACHE_MISSES,
    RETRIES,
    THROTTLED,
    IN_FLIGHT,
    BUDGET_SHARE,
    KEY_AGE,
)
THROTTLE_KINDS = ("rate_limit", "quota", "spend_limit", "own")
