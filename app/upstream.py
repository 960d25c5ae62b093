"""Calls to OpenAI's API."""

from __future__ import annotations

import io
from functools import lru_cache, partial
from http import HTTPStatus

import aiohttp
from yarl import URL

from app import log
from app.errors import UpstreamAnswerError, UpstreamAuthenticationError, UpstreamError, fault_of
from app.secret import Secret
from app.settings import Settings

MAX_ERROR_BYTES = 65_536
IDLE_S = 20
"""How long an unused connection is kept: shorter than OpenAI's side keeps it, as a request that meets a closed one is lost."""
CONNECT_S = 10
_LARGE_BYTES = 1_048_576  # above it aiohttp wants a file, to send it in pieces
_PASSED = frozenset({"openai-processing-ms", "openai-version", "retry-after", "retry-after-ms", "x-should-retry"})
_PASSED_PREFIX = "x-ratelimit-"
_JSON = "application/json"
_NO_KEYS = ("", "")
"""Which key is used instead of which."""


class Answer:
    """An answer whose body has yet to be read. Close it, read or not: that cancels what OpenAI has not yet sent."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.content_type = response.headers.get("content-type", "application/json")
        self.request_id = response.headers.get("x-request-id")

    def headers(self) -> dict[str, str]:
        """The headers that a caller can use: rate limits, when to retry, processing time, and OpenAI's own id of the request."""
        kept = {passed: value for name, value in self._response.headers.items() if (passed := _passed(name))}
        if self.request_id:
            kept["x-openai-request-id"] = self.request_id
        return kept

    async def read(self) -> bytes:
        """The whole body.

        Raises:
            UpstreamError: the connection broke before its end.
        """
        try:
            return await self._response.read()
        except (aiohttp.ClientError, OSError):
            raise _cut() from None

    async def chunk(self) -> bytes:
        """What has arrived since the last call, or comes next; empty at the end.

        Raises:
            UpstreamError: the connection broke.
        """
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, OSError):
            raise _cut() from None

    async def error(self) -> UpstreamError:
        """What a status other than 200 means for the caller: OpenAI's own error, if it is one in JSON."""
        headers = self.headers()
        try:
            body = await self._response.content.read(MAX_ERROR_BYTES) if self.status >= HTTPStatus.BAD_REQUEST else b""
        except (aiohttp.ClientError, OSError):
            body = b""
        if self.content_type.startswith("application/json") and b'"error"' in body:
            return UpstreamAnswerError(self.status, body, headers)
        error = UpstreamError(f"OpenAI answered with status {self.status} and no explanation.", code="upstream_error", headers=headers)
        return error.with_fault(fault_of(self.status))

    def close(self) -> None:
        self._response.close()


class Upstream:
    """One HTTP session with OpenAI's API: the key, the organization and the project stand in every call."""

    def __init__(self, settings: Settings, key: Secret[str]) -> None:
        self._base = settings.openai_base_url.rstrip("/")
        self._key = key
        self._instead = _NO_KEYS
        self._session: aiohttp.ClientSession | None = None
        self._urls: dict[str, URL] = {}
        self._headers = {"Content-Type": _JSON, "Accept-Encoding": "identity", "User-Agent": "openai-gateway"}
        if settings.openai_organization:
            self._headers["OpenAI-Organization"] = settings.openai_organization
        if settings.openai_project:
            self._headers["OpenAI-Project"] = settings.openai_project

    def open(self) -> None:
        """Open the session; the request's own deadline is the caller's, and covers everything."""
        self._session = aiohttp.ClientSession(
            headers=self._headers,
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_S, ttl_dns_cache=60),
            timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    async def post(self, path: str, body: bytes, request_id: str) -> Answer:
        """Call, with another key if OpenAI refuses the one at hand.

        Raises:
            UpstreamError: there was no answer, or every key is refused.
        """
        current = await self._key.get()
        refused, working = self._instead
        key = working if current == refused else current
        answer = await self._post(path, body, key, request_id)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            answer.close()
            return await self._post_again(path, body, request_id, current, tried={key})
        return answer

    async def _post_again(self, path: str, body: bytes, request_id: str, current: str, tried: set[str]) -> Answer:
        """Call with the key as it is read anew, then with the one before it: if that one works, it is used until the secret changes."""
        for read in (partial(self._key.renew, current), self._key.previous):
            key = await read()
            if key is None or key in tried:
                continue
            tried.add(key)
            answer = await self._post(path, body, key, request_id)
            if answer.status != HTTPStatus.UNAUTHORIZED:
                current = await self._key.get()
                self._instead = (current, key) if key != current else _NO_KEYS
                if key != current:
                    log.error("previous_openai_key_used", request_id=request_id)
                return answer
            answer.close()
        self._instead = _NO_KEYS
        raise UpstreamAuthenticationError("OpenAI refuses the gateway's own key: its operator must check the OpenAI key.")

    async def _post(self, path: str, body: bytes, key: str, request_id: str) -> Answer:
        if self._session is None:
            raise UpstreamError("The gateway is not connected.")
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = URL(self._base + path)
        headers = {"Authorization": f"Bearer {key}", "X-Client-Request-Id": request_id}
        data = aiohttp.BytesPayload(body, content_type=_JSON) if len(body) <= _LARGE_BYTES else io.BytesIO(body)
        try:
            return Answer(await self._session.post(url, data=data, headers=headers, allow_redirects=False))
        except TimeoutError:  # of the connection: the request's deadline is not aiohttp's
            raise UpstreamError("OpenAI cannot be reached.") from None
        except (aiohttp.ClientError, OSError):
            raise UpstreamError("The connection to OpenAI failed.") from None


@lru_cache(maxsize=256)
def _passed(name: str) -> str:
    """The name of a header as it is passed on; empty: it is not. OpenAI's answers have few different ones."""
    lower = name.lower()
    return lower if lower in _PASSED or lower.startswith(_PASSED_PREFIX) else ""


def _cut() -> UpstreamError:
    return UpstreamError("The connection to OpenAI broke off in the middle of the answer.", code="upstream_cut").with_fault("cut")
