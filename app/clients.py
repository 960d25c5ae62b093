"""The callers: who they are, known by the SHA-256 of their keys alone."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from dataclasses import dataclass

from app.errors import AuthenticationError
from app.secret import Secret, SecretError

KEY_PREFIX = "gwk-"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Client:
    name: str


Clients = dict[str, Client]
"""The callers by the digest of each of their keys."""


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def new_key() -> tuple[str, str]:
    """A fresh client key of 256 random bits, and the digest that is stored of it."""
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    return key, digest(key)


def parse(text: str) -> Clients:
    """The callers out of JSON such as `{"name": {"key_sha256": ["<hex>", …]}}`; other members are left for later versions.

    Raises:
        SecretError: it is something else; the message names the caller, never a digest.
    """
    try:
        callers = json.loads(text or "null")
    except ValueError:
        raise SecretError("The callers are not JSON.") from None
    if not isinstance(callers, dict):
        raise SecretError("The callers must be a JSON object with a member for each.")
    found: Clients = {}
    for name, caller in callers.items():
        if not _NAME.fullmatch(name):
            raise SecretError(f"{name!r} is no name for a caller: up to 64 letters, digits, dots, dashes and underscores.")
        digests = caller.get("key_sha256") if isinstance(caller, dict) else None
        if not isinstance(digests, list) or not all(isinstance(item, str) and _DIGEST.fullmatch(item) for item in digests):
            raise SecretError(f"{name}: key_sha256 must be a list of SHA-256 digests, in 64 lower-case hexadecimal digits each.")
        if taken := next((item for item in digests if item in found and found[item].name != name), None):
            raise SecretError(f"{name} and {found[taken].name} have a key in common.")
        found.update(dict.fromkeys(digests, Client(name)))
    return found


async def authenticate(authorization: bytes | None, callers: Secret[Clients]) -> Client:
    """The caller that the Authorization header's key belongs to.

    Raises:
        AuthenticationError: there is no key, or nobody's.
    """
    if not authorization:
        raise AuthenticationError("You didn't provide an API key: send your client key as 'Authorization: Bearer <key>'.")
    scheme, _, key = authorization.partition(b" ")
    if scheme.lower() != b"bearer" or not key.strip():
        raise AuthenticationError("The Authorization header must be 'Bearer' and your client key.")
    client = (await callers.get()).get(hashlib.sha256(key.strip()).hexdigest())
    if client is None:
        raise AuthenticationError("Incorrect API key provided: it is no client key of this gateway.")
    return client
