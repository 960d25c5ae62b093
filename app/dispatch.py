"""Who makes a job's call of OpenAI: the sender, or for embeddings that join others the batcher."""

from __future__ import annotations

import asyncio
from typing import Any

from app.access import Entry
from app.batcher import Batcher
from app.catalog import Catalog
from app.job import Job
from app.json_bytes import encode
from app.kind_texts import Embeddings
from app.sender import Sender, Sent
from app.upstream import Answer

BATCH_S = 60.0
"""Longest time that a call for joined embeddings may take."""


class Dispatch:
    def __init__(self, sender: Sender, catalog: Catalog, batch_ms: int = 0) -> None:
        self._sender = sender
        self._catalog = catalog
        self._batches = batch_ms > 0
        self._batcher = Batcher(batch_ms, self._embed)

    async def send(self, job: Job, entry: Entry) -> Sent:
        """The answer to a job, whose body has yet to be read.

        Raises:
            GatewayError: no model answers.
        """
        if self._batches and job.kind.name == Embeddings.name:
            request = job.request | {"model": job.model.name}
            if self._batcher.fits(request):
                return Sent(_Batched(await self._batcher.answer(request, job.prompt_tokens)), job.model, 1, fallback=False)
        return await self._sender.send(job.kind.path, job.route, job.deadline, entry, stream=job.stream)

    async def _embed(self, request: dict[str, Any]) -> bytes:
        """Call OpenAI for embeddings that several requests wait for."""
        model = self._catalog.resolve(request["model"], (request["model"],))
        deadline = asyncio.get_running_loop().time() + BATCH_S
        entry = Entry("batch")
        sent = await self._sender.send(Embeddings.path, [(model, encode(request))], deadline, entry)
        try:
            return await sent.answer.read()
        finally:
            sent.answer.close()


class _Batched(Answer):
    """A body that came with others."""

    def __init__(self, body: bytes) -> None:
        self._rest = body
        self.status, self.content_type, self.request_id = 200, "application/json", None

    def headers(self) -> dict[str, str]:
        return {}

    async def chunk(self) -> bytes:
        body, self._rest = self._rest, b""
        return body

    def close(self) -> None:
        return None
