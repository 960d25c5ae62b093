"""GET /v1/models: the models that callers may use, in OpenAI's shape."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.clients import Clients, authenticate
from app.errors import NotFoundError
from app.secret import Secret


class Models:
    """The two endpoints, the list and one of it."""

    def __init__(self, names: tuple[str, ...], callers: Secret[Clients]) -> None:
        self._models = {name: {"id": name, "object": "model", "created": 0, "owned_by": "openai"} for name in names}
        self._callers = callers

    async def many(self, request: Request) -> Response:
        await self._authenticate(request)
        return JSONResponse({"object": "list", "data": list(self._models.values())})

    async def one(self, request: Request) -> Response:
        await self._authenticate(request)
        name = request.path_params["name"]
        if name not in self._models:
            message = f"The model {name[:100]!r} does not exist here; there are: {', '.join(self._models)}."
            raise NotFoundError(message, param="model", code="model_not_found")
        return JSONResponse(self._models[name])

    async def _authenticate(self, request: Request) -> None:
        client = await authenticate(request.headers.get("authorization", "").encode("latin-1"), self._callers)
        request.scope["entry"].client = client.name
