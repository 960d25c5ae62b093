"""E-mail addresses, phone numbers, card numbers and keys taken out of texts: of log lines always, of prompts where a stage asks for it.

Made for texts that hold none of them, which are nearly all: then it costs a few searches in C. Every pattern begins where no letter or
digit stands before it and repeats a bounded number of times, so that no text makes it slow.
"""

from __future__ import annotations

import re
from typing import Any

_KEY = re.compile(
    r"""(?<![A-Za-z0-9])(?:
      (?:sk|gwk)-[\w-]{12,}                                         # OpenAI's and the gateway's own
    | A(?:KIA|SIA)[A-Z0-9]{16}(?![A-Za-z0-9])                       # AWS
    | gh[pousr]_\w{20,} | github_pat_\w{20,} | glpat-[\w-]{16,}     # GitHub, GitLab
    | xox[abeprs]-[A-Za-z0-9-]{10,}                                 # Slack
    | AIza[\w-]{30,}                                                # Google
    | (?<![-_])eyJ[\w-]{8,8192}+\.[\w-]{8,8192}+\.[\w-]{0,8192}     # JSON web tokens
    )
    | -----BEGIN[ ][A-Z ]{0,30}PRIVATE[ ]KEY-----[A-Za-z0-9+/=\s\\]{0,8192}+(?:-----END[ ][A-Z ]{0,30}PRIVATE[ ]KEY-----)?""",
    re.VERBOSE | re.ASCII,
)
_EMAIL = re.compile(r"(?<![\w.%+-])[\w.%+-]{1,64}@(?:[^\W_](?:[\w-]{0,62})\.){1,8}[^\W\d_]{2,24}(?!\w)")
_CARD = re.compile(r"(?<![\w-])(?<![0-9]\.)[2-6](?:[ -]?[0-9]){12,18}(?![\w-])(?!\.[0-9])")
_PHONE = re.compile(
    r"""(?<![\w+-])(?<![0-9]\.)(?:
      \+[1-9](?:[ .()/-]{0,2}[0-9]){7,14}                                                      # international
    | (?:1[ .-]?)?(?:\([2-9][0-9]{2}\)[ ]?|[2-9][0-9]{2}[ .-]?)[2-9][0-9]{2}[ .-]?[0-9]{4}     # North American
    )(?![\w-])(?!\.[0-9])""",
    re.VERBOSE,
)
_DIGIT, _OTHER = b"0", b"x"
_SHAPE = bytes({**dict.fromkeys(b"0123456789", _DIGIT[0]), ord("+"): ord("+")}.get(code, _OTHER[0]) for code in range(256))
_SEPARATORS = b" .()/-"
_LONG_NUMBER, _PHONE_NUMBER = _DIGIT * 10, b"+" + _DIGIT * 8

_TEXTS = frozenset({"content", "text", "input", "prompt", "instructions", "arguments", "output", "refusal"})
"""Members of a request that hold what people or programs wrote; images, files and identifiers stand under other names."""


def suspicious(text: str) -> bool:
    """Whether the text may hold something to take out; it need not, but a text that is not suspicious holds nothing."""
    return "@" in text or _may_hold_key(text) or _may_hold_number(text)


def redact(text: str) -> str:
    """The text with `[key]`, `[email]`, `[card]` and `[phone]` in place of what they name; the same object if there is nothing."""
    if _may_hold_key(text):
        text = _KEY.sub("[key]", text)
    if "@" in text:
        text = _EMAIL.sub("[email]", text)
    while _may_hold_number(text):
        cleaner = _PHONE.sub("[phone]", _CARD.sub(_card, text))
        if cleaner == text:
            break
        text = cleaner  # what stood beside a number that went may be one itself
    return text


def redact_request(request: dict[str, Any]) -> dict[str, Any]:
    """The request with its texts redacted, changed parts as new objects; the same object if there is nothing to take out.

    Only texts are looked at: a prompt of token numbers passes as it is, and so do images, files and descriptions of tools.
    """
    found: dict[str, Any] = _redacted(request, "")
    return found


def _redacted(value: Any, name: str) -> Any:
    """The value of the member `name`; the same object if nothing in it changes."""
    if isinstance(value, str):
        return redact(value) if name in _TEXTS else value
    if isinstance(value, list):
        items = [_redacted(item, name) for item in value]
        return items if any(item is not old for item, old in zip(items, value, strict=True)) else value
    if isinstance(value, dict):
        members = {key: _redacted(member, "text" if name == "variables" else key) for key, member in value.items()}
        return members if any(member is not value[key] for key, member in members.items()) else value
    return value


def _may_hold_key(text: str) -> bool:
    return (
        "k-" in text
        or "eyJ" in text
        or "IA" in text
        or ("gh" in text and "_" in text)
        or "glpat-" in text
        or "xox" in text
        or "AIza" in text
        or "PRIVATE KEY" in text
    )


def _may_hold_number(text: str) -> bool:
    """Whether there are as many digits in a row, but for separators, as the shortest number has."""
    shape = text.encode(errors="replace").translate(_SHAPE, _SEPARATORS)
    return _LONG_NUMBER in shape or _PHONE_NUMBER in shape


def _card(found: re.Match[str]) -> str:
    """`[card]` if the digits' check sum is a card's, else what was found."""
    digits = [int(digit) for digit in found[0] if digit.isdigit()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return found[0] if (sum(digits[-1::-2]) + sum(doubled)) % 10 else "[card]"
