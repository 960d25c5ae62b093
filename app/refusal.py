"""What a caller is told when the ledger says no: OpenAI's kinds of 429, and when to come again."""

from __future__ import annotations

import math

from app.errors import GatewayError, UnavailableError
from app.limits import Step
from app.reservation import Verdict

_MINUTE = {
    "requests_per_minute": "requests a minute",
    "tokens_per_minute": "tokens a minute",
    "streams": "streams open at once",
}
_DOLLARS = {"usd_per_day": "a day", "usd_per_month": "a month"}
_WHOSE = {"client": "your key", "stage": "this stage"}


class RateLimitError(GatewayError):
    """A limit that frees up by itself: OpenAI's clients wait and try again."""

    status = 429
    kind = "rate_limit_error"


class InsufficientQuotaError(RateLimitError):
    """Money that is spent: trying again does not help."""

    kind = "insufficient_quota"


def spend_step(verdict: Verdict) -> dict[str, str]:
    """The header that says how far down the stage's budget is; there is none while it is not."""
    return {"x-gateway-spend-step": verdict.step.name.lower()} if verdict.step is not Step.NORMAL else {}


def refusal(verdict: Verdict) -> GatewayError:
    """The error for a refused request; its code is the name of the limit."""
    wait_s = verdict.retry_after_s
    headers = verdict.headers | spend_step(verdict) | ({"retry-after": str(max(1, math.ceil(wait_s)))} if wait_s is not None else {})
    whose, _, limit = verdict.limit.partition("_")
    again = "; try again later" if wait_s is not None else ": this request alone is more than that"
    if limit in _MINUTE:
        message = f"The limit of {_MINUTE[limit]} of {_WHOSE[whose]} is reached{again}."
        return RateLimitError(message, code="rate_limit_exceeded", headers=headers)
    if limit in _DOLLARS:
        message = f"What {_WHOSE[whose]} may spend {_DOLLARS[limit]} is spent{again}."
        return InsufficientQuotaError(message, code=verdict.limit, headers=headers)
    if verdict.limit == "ladder_cache_only":
        message = "This stage's budget for the month is nearly spent: only answers from the cache are given."
        return InsufficientQuotaError(message, code="budget_cache_only", headers=headers)
    if verdict.limit == "ladder_stop":
        return InsufficientQuotaError("This stage's budget for the month is spent.", code="budget_spent", headers=headers)
    message = "Whether the budget allows this request cannot be looked up now; send it again in a moment."
    return UnavailableError(message, code="budget_unavailable", headers=headers)
