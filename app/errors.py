"""Every way a request can fail, as one tree; each answers in the shape of OpenAI's own errors, and no message carries foreign text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar, Self

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from app.json_bytes import encode

METHOD_NOT_ALLOWED, TOO_MANY = 405, 429
_PASSING = frozenset({408, 409})  # a timeout and a conflict on OpenAI's side: worth another try
_QUOTA = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})


class GatewayError(Exception):
    """A failure that the caller is told about."""

    status: int = 500
    kind: ClassVar[str] = "server_error"
    default_code: ClassVar[str | None] = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`status` and `code` are given where the class's own do not say it all."""
        super().__init__(message)
        self.message = message
        self.status = status or self.status
        self.param = param
        self.code = code or self.default_code
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        return encode({"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}})

    def response(self) -> Response:
        return Response(self.body(), self.status, self.headers, media_type="application/json")


class InvalidRequestError(GatewayError):
    status = 400
    kind = "invalid_request_error"
    default_code: ClassVar[str | None] = "invalid_value"


class AuthenticationError(InvalidRequestError):
    status = 401
    default_code = "invalid_api_key"


class NotFoundError(InvalidRequestError):
    status = 404
    default_code = "unknown_url"


class SlowRequestError(InvalidRequestError):
    status = 408
    default_code = "request_timeout"


class BodyTooLargeError(InvalidRequestError):
    status = 413
    default_code = "request_too_large"


class UpstreamError(GatewayError):
    """OpenAI could not be reached, or its answer broke off."""

    status = 502
    default_code = "upstream_unreachable"
    fault: str = "unreachable"
    """What went wrong, in one word: unreachable, cut, timeout, authentication; of OpenAI's own errors server, refused, rate_limit, quota,
    spend_limit. It decides what is tried again, and is what metrics and alarms count by."""

    def with_fault(self, fault: str) -> Self:
        self.fault = fault
        return self


class UpstreamAuthenticationError(UpstreamError):
    """OpenAI refuses the gateway's key: the operator's matter, and no fault of the caller's key."""

    default_code = "upstream_authentication"
    fault = "authentication"


class DeadlineError(UpstreamError):
    status = 504
    default_code = "upstream_timeout"
    fault = "timeout"


class UnavailableError(GatewayError):
    status = 503
    default_code = "unavailable"


class UpstreamAnswerError(UpstreamError):
    """OpenAI answered with an error of its own, in JSON: passed on as it is."""

    def __init__(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        super().__init__("OpenAI answered with an error", status=status, code=f"upstream_{status}", headers=headers)
        self.fault = fault_of(status, body)
        self._body = body

    def body(self) -> bytes:
        return self._body


def fault_of(status: int, body: bytes = b"") -> str:
    """The fault that a status stands for. Of the 429s only the rate limit passes by itself: the others wait for somebody to pay."""
    if status == TOO_MANY:
        try:
            error = json.loads(body)["error"]
            code, kind = str(error.get("code")), str(error.get("type"))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return "rate_limit"
        if code.endswith("_spend_limit_exceeded"):
            return "spend_limit"
        return "quota" if _QUOTA & {code, kind} else "rate_limit"
    return "server" if status >= GatewayError.status or status in _PASSING else "refused"


class CallerGoneError(Exception):
    """The caller hung up: nobody is left to be told."""


async def answer(request: Request, error: Exception) -> Response:
    """Starlette's handler of `GatewayError`; the request's log entry learns the code."""
    failure = error if isinstance(error, GatewayError) else GatewayError("The gateway failed.")
    if (entry := request.scope.get("entry")) is not None:
        entry.error = failure.code
    return failure.response()


async def answer_http(request: Request, error: Exception) -> Response:
    """Starlette's handler of what its own router raises: unknown paths and methods."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    where = f"{request.method} {request.url.path}"
    if status == METHOD_NOT_ALLOWED:
        return InvalidRequestError(f"Not allowed to {where}.", status=status, code="method_not_supported", headers=headers).response()
    return NotFoundError(f"Unknown request URL: {where}. Please check the URL for typos.").response()
