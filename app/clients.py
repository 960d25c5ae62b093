"""The callers: who they are, known by the SHA-256 of their keys alone."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from dataclasses import dataclass
from typing import Any

from app.errors import AuthenticationError
from app.limits import Limits, LimitsError
from app.secret import Secret, SecretError

KEY_PREFIX = "gwk-"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


UNLIMITED = Limits()
_FLAGS = ("operator", "moderate", "cache")


@dataclass(frozen=True, slots=True)
class Client:
    """A caller, with what its entry says differently from the stage."""

    name: str
    limits: Limits = UNLIMITED
    models: tuple[str, ...] = ()
    """The models that it may use; none named: all of the stage's."""
    operator: bool = False
    """Whether it sees everybody's usage and may invalidate everybody's answers."""
    moderate: bool | None = None
    """Whether its input is moderated; None: as the stage's is."""
    cache: bool = True


Clients = dict[str, Client]
"""The callers by the digest of each of their keys."""


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def new_key() -> tuple[str, str]:
    """A fresh client key of 256 random bits, and the digest that is stored of it."""
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    return key, digest(key)


def parse(text: str, general: Limits = UNLIMITED) -> Clients:
    """The callers out of JSON: `{"name": {"key_sha256": ["<hex>", …], "limits": {"streams": 2}, "models": ["fast"], "operator": true}}`.

    All but the keys may be left out; `general` are the limits of a caller that names none of its own.

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
    for name, entry in callers.items():
        if not _NAME.fullmatch(name):
            raise SecretError(f"{name!r} is no name for a caller: up to 64 letters, digits, dots, dashes and underscores.")
        if not isinstance(entry, dict):
            raise SecretError(f"{name}: its entry must be an object.")
        client, digests = _client(name, entry, general), entry.get("key_sha256")
        if not isinstance(digests, list) or not all(isinstance(item, str) and _DIGEST.fullmatch(item) for item in digests):
            raise SecretError(f"{name}: key_sha256 must be a list of SHA-256 digests, in 64 lower-case hexadecimal digits each.")
        if taken := next((item for item in digests if item in found and found[item].name != name), None):
            raise SecretError(f"{name} and {found[taken].name} have a key in common.")
        found.update(dict.fromkeys(digests, client))
    return found


def _client(name: str, entry: dict[str, Any], general: Limits) -> Client:
    known = {"key_sha256", "limits", "models", *_FLAGS}
    if unknown := sorted(entry.keys() - known):
        raise SecretError(f"{name}: there is no member {unknown[0]!r}; there are {', '.join(sorted(known))}.")
    limits, models = entry.get("limits", {}), entry.get("models", [])
    if not isinstance(limits, dict):
        raise SecretError(f"{name}: limits must be an object.")
    if not isinstance(models, list) or not all(isinstance(model, str) for model in models):
        raise SecretError(f"{name}: models must be a list of names.")
    flags = {flag: entry[flag] for flag in _FLAGS if flag in entry}
    if wrong := next((flag for flag, value in flags.items() if not isinstance(value, bool)), None):
        raise SecretError(f"{name}: {wrong} must be true or false.")
    try:
        return Client(name, general.merged(limits), tuple(models), **flags)
    except LimitsError as error:
        raise SecretError(f"{name}: {error}") from None


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
