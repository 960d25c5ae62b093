"""Sends a request to OpenAI until a model answers: the one place where anything is tried again."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Iterator
from http import HTTPStatus
from typing import NamedTuple, Protocol

from app import log
from app.errors import DeadlineError, UnavailableError, UpstreamError
from app.model import Model
from app.resilience import Breaker, Clock, RetryBudget, pause_s, retry_after_s
from app.upstream import Answer

ATTEMPTS = 2
"""Most calls of one model for one request."""
PATIENCE_S = 1.0
"""Longest pause before a retry while another model could answer at once."""
LONGEST_S = 30.0
"""Longest pause at all: past it the caller is told to come back instead."""
FIRST_BYTE_S = 60.0
"""How long a stream's first byte may take while another model could answer; a plain answer, which begins when it is complete, gets half
of the time that is left."""
_AGAIN = frozenset({"server", "unreachable", "rate_limit"})
_ELSEWHERE = _AGAIN | {"timeout"}
_DOWN = frozenset({"server", "unreachable", "timeout"})
_UNPAID = frozenset({"quota", "spend_limit"})


class Route(Protocol):
    """The models that may answer, in order, each with the body that it gets."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[tuple[Model, bytes]]: ...


class Trail(Protocol):
    """What a request's log entry learns on the way."""

    request_id: str
    attempts: int
    fault: str | None
    upstream_id: str | None


class Post(Protocol):
    """OpenAI, as `Upstream` calls it."""

    async def post(self, path: str, body: bytes, request_id: str) -> Answer: ...


class Sent(NamedTuple):
    """An answer of status 200 whose body has yet to be read; whoever has it closes it."""

    answer: Answer
    model: Model
    attempts: int
    fallback: bool


class Sender:
    """Retries within a budget, then falls back. Nothing is tried again once an answer has begun: what the caller has seen stays true.

    A rate limit is waited for as long as OpenAI says, unless another model can answer sooner. Quotas and spend limits are passed on, with
    an error in the log for an alarm to count. A model that keeps failing is left alone for a while, and its fallback asked at once.
    """

    def __init__(
        self,
        upstream: Post,
        budget: RetryBudget | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        chance: Clock = random.random,
    ) -> None:
        self._upstream = upstream
        self._budget = budget or RetryBudget()
        self._breakers: dict[str, Breaker] = {}
        self._sleep = sleep
        self._chance = chance

    async def send(self, path: str, route: Route, deadline: float, trail: Trail, *, stream: bool = False) -> Sent:
        """The first answer. The caller cancels this when the deadline, in the loop's time, is over; here it bounds the pauses.

        Raises:
            UpstreamError: no model answered; it is what the first one that was asked came to.
            UnavailableError: none was asked, as all of them kept failing a moment ago.
        """
        self._budget.count()
        first: UpstreamError | None = None
        for place, (model, body) in enumerate(route):
            last = place == len(route) - 1
            for attempt in range(ATTEMPTS):
                breaker = self._breaker(model.name)
                if not breaker.allow():
                    break
                trail.attempts += 1
                try:
                    answer = await self._call(path, body, trail, None if last else self._time_s(deadline, stream=stream))
                except UpstreamError as error:
                    trail.fault = error.fault
                    (breaker.fail if error.fault in _DOWN else breaker.succeed)()
                    first = first or error
                    self._must_pass_on(error, first, model, trail.request_id)
                    wait_s = self._wait_s(error, attempt, deadline, last=last)
                    if wait_s is None:
                        break
                    await self._sleep(wait_s)
                except asyncio.CancelledError:
                    if asyncio.get_running_loop().time() >= deadline:
                        breaker.fail()
                    raise
                else:
                    breaker.succeed()
                    return Sent(answer, model, trail.attempts, place > 0)
        raise first or self._unavailable(route)

    async def _call(self, path: str, body: bytes, trail: Trail, most_s: float | None) -> Answer:
        """The answer, if it is one of status 200."""
        if most_s is None:
            answer = await self._upstream.post(path, body, trail.request_id)
        else:
            try:
                async with asyncio.timeout(most_s):
                    answer = await self._upstream.post(path, body, trail.request_id)
            except TimeoutError:
                raise DeadlineError("OpenAI did not begin to answer in time.") from None
        trail.upstream_id = answer.request_id
        if answer.status == HTTPStatus.OK:
            return answer
        try:
            raise await answer.error()
        finally:
            answer.close()

    def _must_pass_on(self, error: UpstreamError, first: UpstreamError, model: Model, request_id: str) -> None:
        """Raise what no other call can mend. A fallback that refuses the request says less about it than the first model's failure."""
        if error.fault in _UNPAID:
            log.error("upstream_unpaid", kind=error.fault, model=model.name, request_id=request_id)
        if error.fault not in _ELSEWHERE:
            raise first if error.fault == "refused" else error

    def _wait_s(self, error: UpstreamError, attempt: int, deadline: float, *, last: bool) -> float | None:
        """How long to wait before the same model is asked again; None: it is not."""
        if attempt + 1 >= ATTEMPTS or error.fault not in _AGAIN or error.headers.get("x-should-retry") == "false":
            return None
        asked_s = retry_after_s(error.headers)
        wait_s = pause_s(attempt, self._chance) if asked_s is None else asked_s + pause_s(0, self._chance) / 5
        rest_s = deadline - asyncio.get_running_loop().time()
        if wait_s > min(LONGEST_S if last else PATIENCE_S, rest_s):
            return None
        return wait_s if self._budget.take() else None

    @staticmethod
    def _time_s(deadline: float, *, stream: bool) -> float:
        half_s = (deadline - asyncio.get_running_loop().time()) / 2
        return min(half_s, FIRST_BYTE_S) if stream else half_s

    def _unavailable(self, route: Route) -> UnavailableError:
        rest_s = min((self._breaker(model.name).rest_s for model, _ in route), default=0)
        message = "OpenAI kept failing a moment ago, so it is not asked just now; send the request again later."
        return UnavailableError(message, code="upstream_unavailable", headers={"retry-after": str(max(1, math.ceil(rest_s)))})

    def _breaker(self, name: str) -> Breaker:
        breaker = self._breakers.get(name)
        if breaker is None:
            breaker = self._breakers[name] = Breaker()
        return breaker
