"""A kind of request: what it must be, how much it will use, what is changed in it, and where its answer says what it used."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NoReturn

from app.errors import InvalidRequestError
from app.kind_body import rewrite
from app.model import Model
from app.usage import Usage

Request = dict[str, Any]
Rule = tuple[Callable[[Any], bool], str]
TAIL_BYTES = 4096
FLAG: Rule = (lambda value: isinstance(value, bool), "must be true or false")
COUNT: Rule = (lambda value: type(value) is int and value > 0, "must be an integer of at least 1")
NUMBER: Rule = (lambda value: type(value) in {int, float}, "must be a number")
TEXT: Rule = (lambda value: isinstance(value, str), "must be a string")
OBJECT: Rule = (lambda value: isinstance(value, dict), "must be an object")
SAMPLING: dict[str, Rule] = dict.fromkeys(("temperature", "top_p", "frequency_penalty", "presence_penalty"), NUMBER)
_DECODER = json.JSONDecoder()
_NO_CHOICES = re.compile(rb'"choices"\s*:\s*\[\s*\]')


class Kind(ABC):
    """A kind of request. Members that it does not know pass unchanged."""

    name: ClassVar[str]
    """As in the catalogue's `kinds`."""
    path: ClassVar[str]
    streams: ClassVar[bool] = False
    model: ClassVar[str] = ""
    """The model of a request that names none; empty: it must name one."""
    tail_bytes: ClassVar[int] = TAIL_BYTES
    """How much of an answer's end `usage` wants to see."""
    rules: ClassVar[Mapping[str, Rule]] = {}
    multipliers: ClassVar[tuple[str, ...]] = ()
    """Members that ask for several answers."""
    limits: ClassVar[tuple[str, ...]] = ()
    """Members that bound the output's tokens; the first is written where there was none."""

    def __init__(self, max_choices: int, max_output_tokens: int) -> None:
        self._max_choices = max_choices
        self._max_output_tokens = max_output_tokens

    def check(self, request: Request) -> None:
        """Refuse what OpenAI would, or must never, get.

        Raises:
            InvalidRequestError: a member cannot be so; the error names it.
        """
        model = request.get("model", self.model)
        if not isinstance(model, str) or not model:
            refuse("model", "must be a string")
        self.check_input(request)
        rules = self.rules
        for name, value in request.items():
            if value is not None and (rule := rules.get(name)) and not rule[0](value):
                refuse(name, rule[1])
        for name in self.limits:
            if (request.get(name) or 0) > self._max_output_tokens:
                refuse(name, f"must be at most {self._max_output_tokens} here")
        if self.choices(request) > self._max_choices:
            name = max(self.multipliers, key=lambda name: request.get(name) or 1)
            refuse(name, f"is {request[name]}, and at most {self._max_choices} answers to one request are made here, by n or best_of")

    @abstractmethod
    def check_input(self, request: Request) -> None: ...

    @abstractmethod
    def prompt_tokens(self, request: Request, model: Model) -> int:
        """The tokens of the input: text exactly, all else by the estimates of `app/tokens.py` and the catalogue."""

    @abstractmethod
    def texts(self, request: Request) -> list[str]:
        """What people and programs wrote: the texts that moderation and redaction look at."""

    def output_limit(self, request: Request, model: Model, default: int, maximum: int) -> int:
        """The most tokens that one answer may have: what was asked for or `default`, and never more than `maximum` or the model can."""
        asked = next((request[name] for name in self.limits if request.get(name)), default)
        return min(asked, maximum, model.max_output_tokens)

    def output_tokens(self, request: Request, model: Model, default: int, maximum: int) -> int:
        """The most tokens that the whole request may write: `max_tokens` x max(`n`, `best_of`), for each of its prompts."""
        return self.output_limit(request, model, default, maximum) * self.choices(request) * self.prompts(request)

    def limited(self, request: Request, limit: int) -> dict[str, int]:
        """The change that makes OpenAI keep to an `output_limit`; empty where it does already."""
        name = next((name for name in self.limits if request.get(name)), self.limits[0] if self.limits else "")
        return {name: limit} if name and request.get(name) != limit else {}

    def choices(self, request: Request) -> int:
        return max([request.get(name) or 1 for name in self.multipliers], default=1)

    def prompts(self, _request: Request) -> int:
        return 1

    def counted(self, request: Request) -> dict[str, Any]:
        """The change that makes OpenAI say at a stream's end what it used; what the caller did not ask for goes out by `hide_usage`."""
        if not self.streams or request.get("stream") is not True:
            return {}
        options = request.get("stream_options") or {}
        return {} if options.get("include_usage") is True else {"stream_options": {**options, "include_usage": True}}

    @staticmethod
    def rewrite(body: bytes, request: Request, **changes: Any) -> bytes:
        """The body with these members, new or in place of others; every other byte stays where that can be."""
        return rewrite(body, request, changes) if changes else body

    def usage(self, tail: bytes) -> Usage | None:
        """What an answer, plain or streamed, says in its end that it used. No text can fake it: in a string the quotes would be escaped."""
        end = len(tail)
        while (end := tail.rfind(b'"usage"', 0, end)) >= 0:
            start = tail.find(b"{", end, end + 24)
            if start >= 0 and tail[end + 7 : start].strip() == b":":
                try:
                    return self.read_usage(_DECODER.raw_decode(tail[start:].decode(errors="replace"))[0])
                except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                    pass
        return None

    def read_usage(self, usage: Any) -> Usage:
        details = usage.get("prompt_tokens_details") or {}
        return Usage(int(usage["prompt_tokens"]), int(usage.get("completion_tokens") or 0), int(details.get("cached_tokens") or 0))

    def ending(self, events: bytes) -> bool | None:
        """Whether these events end the stream: complete (True), in an error (False), or not yet (None)."""
        return True if b"data: [DONE]" in events[-64:] else None

    def complete(self, body: bytes) -> bool:
        """Whether a plain answer of status 200 is whole, and a success that may be given again."""
        return body[-8:].rstrip().endswith(b"}")


def hide_usage(events: bytes) -> bytes:
    """Events of a stream without the one that only says what it used: a client that did not ask for it may fall over it."""
    if not _NO_CHOICES.search(events):
        return events
    parts = events.split(b"\n\n")
    return b"\n\n".join(part for part in parts if not (_NO_CHOICES.search(part) and b'"usage"' in part))


def refuse(param: str, message: str) -> NoReturn:
    raise InvalidRequestError(f"Invalid value for '{param}': it {message}.", param=param, code="invalid_value")
