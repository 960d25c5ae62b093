"""What a request asks of the ledger, and what the ledger says."""

from __future__ import annotations

import re

from app.limits import Limits, Step

NONE = "-"
_STRANGE = re.compile(r"[^\x21-\x7e]")
_MOST = 128
_REQUESTS, _TOKENS = ([f"x-ratelimit-{what}-{name}" for what in ("limit", "remaining", "reset")] for name in ("requests", "tokens"))


def label(text: str) -> str:
    """A text of a caller's as it can stand in a row or a key: visible ASCII, without white space, not long."""
    return _STRANGE.sub("_", text[:_MOST]) if text else NONE


class Reservation:
    """What a request will use at most, until `Ledger.settle` says what it did use."""

    __slots__ = ("cache_digest", "cache_key", "client", "cost_nanousd", "feature", "hold", "how", "id", "keep", "limits", "model",
                 "prompt_version", "reserved_at", "stream", "tokens")  # fmt: skip

    def __init__(  # noqa: PLR0913  as many as there are limits and names
        self,
        id: str,  # noqa: A002  the field's own name
        client: str,
        model: str,
        *,
        feature: str = "",
        tokens: int = 0,
        cost_nanousd: int = 0,
        stream: bool = False,
        keep: int = 0,
        cache_digest: str = "",
        prompt_version: str = "",
    ) -> None:
        self.id = id
        self.client = client
        self.model = label(model)
        self.feature = label(feature)
        self.tokens = tokens
        self.cost_nanousd = cost_nanousd
        self.stream = stream
        self.keep = keep
        """How long the answer is kept, in seconds (0: it does not come from the cache and does not go there)."""
        self.cache_digest = cache_digest if keep else ""
        self.prompt_version = label(prompt_version)
        self.hold = ""
        self.how = "none"
        """Where it is held: `held` in Valkey, `local` in this process alone, `hit` and `none` nowhere, `done` no more."""
        self.cache_key = ""
        self.reserved_at = 0.0
        self.limits: Limits | None = None

    def again(self, tokens: int, cost_nanousd: int) -> Reservation:
        """The same, held nowhere yet, for so much."""
        return Reservation(
            self.id,
            self.client,
            self.model,
            feature=self.feature,
            tokens=tokens,
            cost_nanousd=cost_nanousd,
            stream=self.stream,
            keep=self.keep,
            cache_digest=self.cache_digest,
            prompt_version=self.prompt_version,
        )


class Verdict:
    """Whether a request may go out."""

    __slots__ = ("body", "headers", "limit", "retry_after_s", "state", "step")

    def __init__(  # noqa: PLR0913  three kinds of answers in one
        self,
        state: str,
        step: Step,
        headers: dict[str, str],
        *,
        body: bytes = b"",
        limit: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        self.state = state
        """`go`, `hit` (then `body` is the answer) or `refused` (then `limit` says by which)."""
        self.step = step
        self.headers = headers
        self.body = body
        self.limit = limit
        self.retry_after_s = retry_after_s
        """When room may be there again; None: it does not help to wait, the request is larger than the limit."""


def headers(limits: Limits, requests_used: float, tokens_used: float) -> dict[str, str]:
    """OpenAI's headers about a client's own limits; without a limit there is none."""
    found: dict[str, str] = {}
    for names, limit, used in ((_REQUESTS, limits.requests_per_minute, requests_used), (_TOKENS, limits.tokens_per_minute, tokens_used)):
        if limit:
            found[names[0]] = str(limit)
            found[names[1]] = str(max(0, int(limit - used)))
            found[names[2]] = duration(used / limit * 60)
    return found


def duration(seconds: float) -> str:
    """A time as OpenAI writes it: 20ms, 1.5s, 6m0s."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 60:  # noqa: PLR2004  a minute
        return f"{seconds:.3g}s"
    return f"{int(seconds // 60)}m{int(seconds % 60)}s"
