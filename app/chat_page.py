"""The chat page at `/`: three files beside each other, served as they are under a policy that lets nothing else in."""

from __future__ import annotations

import hashlib
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
FILES = {"/": ("index.html", "text/html"), "/chat.js": ("chat.js", "text/javascript"), "/chat.css": ("chat.css", "text/css")}
_NOT_MODIFIED = 304


def routes() -> list[Route]:
    return [_route(path, *file) for path, file in FILES.items()]


def _route(path: str, name: str, media_type: str) -> Route:
    content = (Path(__file__).parent / "page" / name).read_bytes()
    headers = HEADERS | {"etag": f'"{hashlib.sha256(content).hexdigest()[:16]}"'}

    async def page(request: Request) -> Response:
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=_NOT_MODIFIED, headers=headers)
        return Response(content, headers=headers, media_type=media_type)

    return Route(path, page)
