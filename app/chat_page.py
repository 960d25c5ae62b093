"""The chat page at `/`, and the files that it and the page of `/usage` load: as they are, under a policy that lets nothing else in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
FILES = {
    "/": ("index.html", "text/html"),
    "/chat.js": ("chat.js", "text/javascript"),
    "/chat.css": ("chat.css", "text/css"),
    "/usage.js": ("usage.js", "text/javascript"),
    "/chart.js": ("chart.js", "text/javascript"),
    "/usage.css": ("usage.css", "text/css"),
    "/gateway.js": ("gateway.js", "text/javascript"),
    "/gateway.css": ("gateway.css", "text/css"),
}
_NOT_MODIFIED = 304


class Page:
    """A file beside the others, and the headers that it always has."""

    def __init__(self, name: str, media_type: str) -> None:
        self._content = (Path(__file__).parent / "page" / name).read_bytes()
        self._media_type = media_type
        self._headers = HEADERS | {"etag": f'"{hashlib.sha256(self._content).hexdigest()[:16]}"'}

    def response(self, request: Request, more: Mapping[str, str] | None = None) -> Response:
        headers = self._headers | dict(more or {})
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=_NOT_MODIFIED, headers=headers)
        return Response(self._content, headers=headers, media_type=self._media_type)


def routes() -> list[Route]:
    return [_route(path, Page(*file)) for path, file in FILES.items()]


def _route(path: str, page: Page) -> Route:
    async def serve(request: Request) -> Response:
        return page.response(request)

    return Route(path, serve)
