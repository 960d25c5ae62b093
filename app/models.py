"""GET /v1/models: the models that the caller may use, with their prices and aliases, in OpenAI's shape."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.catalog import Catalog
from app.clients import Client, Clients, authenticate
from app.errors import NotFoundError
from app.secret import Secret

PER_MILLION = 1000
"""Dollars a million tokens, of nano-dollars a token."""


class Models:
    """The two endpoints, the list and one of it."""

    def __init__(self, catalog: Catalog, names: tuple[str, ...], callers: Secret[Clients]) -> None:
        self._catalog = catalog
        self._names = names
        self._callers = callers

    async def many(self, request: Request) -> Response:
        client = await self.authenticate(request)
        return JSONResponse({"object": "list", "data": list(self._entries(client).values())})

    async def one(self, request: Request) -> Response:
        client = await self.authenticate(request)
        entries, name = self._entries(client), request.path_params["name"]
        if name not in entries:
            message = f"The model {name[:100]!r} does not exist here; there are: {', '.join(entries)}."
            raise NotFoundError(message, param="model", code="model_not_found")
        return JSONResponse(entries[name])

    async def authenticate(self, request: Request) -> Client:
        """Whose key the request carries; the log learns it too."""
        client = await authenticate(request.headers.get("authorization", "").encode("latin-1"), self._callers)
        request.scope["entry"].client = client.name
        return client

    def _entries(self, client: Client) -> dict[str, dict[str, Any]]:
        allowed = client.models or self._names
        return {name: self._entry(name, allowed) for name in self._catalog.names(allowed)}

    def _entry(self, name: str, allowed: tuple[str, ...]) -> dict[str, Any]:
        model = self._catalog.resolve(name, allowed)
        prices = {"input": model.input_nanousd, "cached_input": model.cached_nanousd, "output": model.output_nanousd}
        pricing = {price: nanousd / PER_MILLION for price, nanousd in prices.items()}
        return {"id": name, "object": "model", "created": 0, "owned_by": "openai", "answers_as": model.name, "pricing": pricing}
