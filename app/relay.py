"""The way of a job: the ledger says whether it goes out, OpenAI's bytes pass to the caller as they arrive."""

from __future__ import annotations

from app.access import Entry
from app.catalog import Catalog
from app.dispatch import Dispatch
from app.errors import GatewayError
from app.exchange import Exchange, Headers
from app.fetch import Fetch
from app.flights import Flight, Flights
from app.job import Job
from app.ledger import Ledger
from app.model import Model
from app.refusal import refusal, spend_step
from app.reservation import Reservation, Verdict
from app.usage import Usage


class Relay:
    """Answers jobs. Equal ones that may be cached and are under way at the same time share one call, and its costs are the first one's."""

    def __init__(self, ledger: Ledger, dispatch: Dispatch, catalog: Catalog) -> None:
        self._ledger = ledger
        self._dispatch = dispatch
        self._catalog = catalog
        self._flights: Flights[Fetch] = Flights()

    async def answer(self, job: Job, exchange: Exchange) -> None:
        """Answer from the cache, from a call that is under way, or by one of its own.

        Raises:
            GatewayError: it cannot be answered, and nothing was sent yet.
        """
        asked, entry = job.reservation, exchange.entry
        key = f"{asked.client} {asked.cache_digest}" if asked.keep else ""
        joins = key in self._flights
        wanted = asked.tokens, asked.cost_nanousd
        if joins:
            asked.tokens = asked.cost_nanousd = 0  # who joins a call costs nothing more
        verdict = await self._ledger.reserve(asked, job.limits)
        if joins and verdict.state == "go" and not self._joinable(key, asked):
            self._ledger.release(asked)
            job.reservation = asked = asked.again(*wanted)
            verdict = await self._ledger.reserve(asked, job.limits)
        headers = self._headers(job, verdict, entry)
        if verdict.state == "refused":
            raise refusal(verdict)
        if verdict.state == "hit":
            await self._replay(job, exchange, verdict.body, headers)
            return
        flight, leads = self._join(key, job, entry)
        respond = exchange.stream if job.stream else exchange.plain
        if leads:
            await respond(job, flight, headers)
            return
        entry.cache, headers["x-cache"], headers["age"] = "hit", "hit", "0"
        try:
            await respond(job, flight, headers)
        except GatewayError as error:
            entry.error = error.code
            raise
        finally:
            self._shared(job, entry, flight.source)

    def _joinable(self, key: str, asked: Reservation) -> bool:
        """Whether the call is still under way, and was not made before the cache was invalidated."""
        flight = self._flights.get(key)
        return flight is not None and flight.source.cache_key == asked.cache_key

    def _join(self, key: str, job: Job, entry: Entry) -> tuple[Flight[Fetch], bool]:
        """The call to read from, and whether it is this job's own."""

        def fetch() -> Fetch:
            return Fetch(job, entry, self._dispatch.send, self._ledger, self._catalog)

        if key and (key not in self._flights or self._joinable(key, job.reservation)):
            return self._flights.join(key, fetch)
        return Flight(fetch()), True

    def _headers(self, job: Job, verdict: Verdict, entry: Entry) -> Headers:
        headers = verdict.headers | spend_step(verdict)
        if job.reservation.keep:
            entry.cache = headers["x-cache"] = "hit" if verdict.state == "hit" else "miss"
        return headers

    async def _replay(self, job: Job, exchange: Exchange, kept: bytes, headers: Headers) -> None:
        self._saved(job, exchange.entry, job.model, job.reading.usage(kept))
        headers["x-gateway-model"] = job.model.name
        await (exchange.events(job, kept, headers) if job.stream else exchange.whole(kept, headers))

    def _shared(self, job: Job, entry: Entry, fetch: Fetch) -> None:
        """Settle a request that joined another's call: it saved what that cost, unless the call failed for both."""
        if entry.error is not None:
            entry.cache = "miss"
            self._ledger.settle(job.reservation, error=True)
            return
        self._saved(job, entry, fetch.model, fetch.usage)

    def _saved(self, job: Job, entry: Entry, model: Model, usage: Usage | None) -> None:
        """Settle an answer that cost nothing, by what it would have cost."""
        entry.usage = usage
        entry.saved_nanousd = self._catalog.cost_nanousd(model, usage, job.request.get("service_tier")) if usage else 0
        self._ledger.settle(job.reservation, usage=usage, saved_nanousd=entry.saved_nanousd, hit=True)
