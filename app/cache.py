"""The exact-match cache: an answer is given again to the same caller for the same request."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from app.valkey import Valkey

MAX_BYTES = 1_048_576
"""Longest answer that is kept."""


def cache_key(client: str, path: str, request: dict[str, Any]) -> str:
    """The key of an answer. It starts with the tenant, so no request of one caller can ever name another's answer.

    The request is canonical: neither the order of members nor white space matter. `stream` is part of it, so that a streamed answer is
    replayed as it came, and never has to be parsed.
    """
    canonical = f"{path} {json.dumps(request, sort_keys=True, separators=(',', ':'))}"
    return f"cache:{client}:{hashlib.sha256(canonical.encode()).hexdigest()}"


class Cache:
    """Complete, successful answers, by key, for as long as the settings say."""

    def __init__(self, valkey: Valkey, ttl_s: int) -> None:
        self._valkey = valkey
        self._ttl_s = ttl_s

    async def get(self, key: str) -> bytes | None:
        return await self._valkey.get(key)

    async def put(self, key: str, answer: bytes) -> None:
        if answer and len(answer) <= MAX_BYTES:
            await self._valkey.set(key, answer, self._ttl_s)
