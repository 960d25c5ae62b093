"""Limits to misuse: who asks, told to OpenAI without a name, and what is asked, checked before it is answered."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from app import log
from app.errors import GatewayError, InvalidRequestError, UnavailableError
from app.json_bytes import encode

MODERATION_PATH = "/moderations"
MODEL = "omni-moderation-latest"
TIMEOUT_S = 5.0
BATCH = 32
"""Texts in one call."""
REMEMBERED = 4096
"""Texts known to be harmless: a conversation brings all of its earlier turns along with each new one."""
_ID_BYTES = 16

Post = Callable[[bytes, str], Awaitable[bytes]]
"""Sends a body to `MODERATION_PATH` under a request's id and returns the answer's body, or raises `GatewayError`."""


def safety_identifier(key: bytes, client: str, user: str | None = None) -> str:
    """Who asks, as OpenAI may know it: always the same for the client and its user, and telling neither to whoever lacks the key.

    The key is the ARN of the stage's clients' secret, which ends with six characters that AWS picks at random. That is no secret: whoever
    knows the account can try names out. Nothing better is as simple and stays: a random value would stand in Pulumi's state, the keys and
    the clients' secret change by the operator's hand, Valkey can lose it, and with a KMS key for HMACs every start would depend on one
    more call. A client or user whose name must not be guessed gets a name that cannot be.
    """
    return hashlib.blake2b(f"{client}\0{user or ''}".encode(errors="replace"), digest_size=_ID_BYTES, key=key[:64]).hexdigest()


class Moderation:
    """OpenAI's moderation of inputs.

    When it cannot be had, requests are refused with 503 (`closed`, the default): whoever turns moderation on must be able to rely on it,
    and it is seldom away while OpenAI's models are there. With `closed=False` they pass; the log tells either way, once an outage.
    """

    def __init__(self, post: Post, *, closed: bool = True, timeout_s: float = TIMEOUT_S) -> None:
        self._post = post
        self._closed = closed
        self._timeout_s = timeout_s
        self._harmless: dict[bytes, None] = {}
        self._away = False

    async def check(self, texts: Iterable[str], request_id: str) -> tuple[str, ...]:
        """The categories that the texts are flagged for; none, if they are harmless.

        Raises:
            UnavailableError: nobody can tell, and requests are refused then.
        """
        unknown = {digest: text for text in texts if text.strip() and (digest := _digest(text)) not in self._harmless}
        if not unknown:
            return ()
        items = list(unknown.values())
        batches = [items[start : start + BATCH] for start in range(0, len(items), BATCH)]
        try:
            async with asyncio.timeout(self._timeout_s), asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._ask(batch, request_id)) for batch in batches]
        except* (GatewayError, TimeoutError, ValueError) as failures:
            self._missed(failures.exceptions[0])
            categories = None
        else:
            self._answered()
            categories = sorted({category for task in tasks for category in task.result()})
        if categories is None:
            if self._closed:
                message = "The input cannot be checked now; send the request again in a moment."
                raise UnavailableError(message, code="moderation_unavailable")
            return ()
        if not categories:
            self._remember(unknown)
        return tuple(categories)

    async def require(self, texts: Iterable[str], request_id: str) -> None:
        """Let harmless texts pass.

        Raises:
            InvalidRequestError: they are flagged; the message names the categories.
            UnavailableError: as `check`.
        """
        categories = await self.check(texts, request_id)
        if categories:
            message = f"Your input was refused: it was flagged as {', '.join(categories)}."
            raise InvalidRequestError(message, code="content_policy_violation")

    async def _ask(self, texts: Sequence[str], request_id: str) -> set[str]:
        answer = await self._post(encode({"model": MODEL, "input": texts}), request_id)
        return _flagged(json.loads(answer), len(texts))

    def _remember(self, digests: Iterable[bytes]) -> None:
        self._harmless.update(dict.fromkeys(digests))
        for oldest in list(self._harmless)[: max(0, len(self._harmless) - REMEMBERED)]:
            del self._harmless[oldest]

    def _missed(self, failure: BaseException) -> None:
        if not self._away:
            passing = "are refused" if self._closed else "pass unchecked"
            log.error(
                "moderation_unavailable", exception=type(failure).__name__, fix=f"requests {passing} until OpenAI's moderation answers"
            )
        self._away = True

    def _answered(self) -> None:
        if self._away:
            log.info("moderation_recovered")
        self._away = False


def _flagged(answer: Any, count: int) -> set[str]:
    """The categories of flagged results.

    Raises:
        ValueError: that is no answer to so many texts.
    """
    results = answer.get("results") if isinstance(answer, dict) else None
    if not isinstance(results, list) or len(results) != count or not all(isinstance(result, dict) for result in results):
        raise ValueError("no results of a moderation")
    found: set[str] = set()
    for result in results:
        if result.get("flagged"):
            categories = result.get("categories")
            named = {name for name, flagged in categories.items() if flagged} if isinstance(categories, dict) else set()
            found |= named or {"unspecified"}
    return found


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=_ID_BYTES).digest()
