"""POST /responses."""

from __future__ import annotations

import re
from typing import Any

from app import tokens
from app.kind import COUNT, FLAG, OBJECT, SAMPLING, TEXT, Kind, Request, refuse
from app.kind_input import MESSAGE_TOKENS, check_content, compact, content_texts, message_tokens
from app.model import Model
from app.usage import Usage

_COUNTED = ("tools", "text", "prompt")
_ENDS = re.compile(rb'"type"\s*:\s*"response\.(completed|incomplete|failed)"')
_UNFINISHED = re.compile(rb'"status"\s*:\s*"(failed|cancelled|queued|in_progress)"')


class Responses(Kind):
    """What came before, by `previous_response_id` or `conversation`, is OpenAI's to know: only the answer's usage counts it."""

    name = "responses"
    path = "/responses"
    streams = True
    tail_bytes = 16_384  # the metadata, of up to 9 kB, comes after the usage
    limits = ("max_output_tokens",)
    rules = (
        SAMPLING
        | dict.fromkeys(("stream", "store", "background"), FLAG)
        | {"max_output_tokens": COUNT, "instructions": TEXT, "stream_options": OBJECT}
    )

    def check_input(self, request: Request) -> None:
        given = request.get("input")
        if request.get("background") is True:
            refuse("background", "must be false here: the gateway could neither fetch such an answer nor count what it used")
        if given is None and not any(request.get(name) for name in ("prompt", "previous_response_id", "conversation")):
            refuse("input", "must be a string or an array")
        if given is None or isinstance(given, str):
            return
        if not isinstance(given, list) or not given:
            refuse("input", "must be a string or an array with at least one item")
        for index, item in enumerate(given):
            if not isinstance(item, dict):
                refuse(f"input[{index}]", "must be an object")
            if "role" in item:
                if not isinstance(item["role"], str):
                    refuse(f"input[{index}].role", "must be a string")
                check_content(item.get("content"), "input", index)

    def prompt_tokens(self, request: Request, model: Model) -> int:
        found = [compact(request[name]) for name in _COUNTED if request.get(name)]
        extra = MESSAGE_TOKENS
        for message in self._messages(request):
            if "role" in message:
                extra += message_tokens(message, model, found)
            else:
                found.append(compact(message))
        return extra + tokens.count(found, model.encoding)

    def texts(self, request: Request) -> list[str]:
        found = []
        for message in self._messages(request):
            found += content_texts(message.get("content"))
            found += content_texts(message.get("output"))  # what a tool gave back
        return found

    def counted(self, _request: Request) -> dict[str, Any]:
        return {}  # its streams say it always

    def read_usage(self, usage: Any) -> Usage:
        details = usage.get("input_tokens_details") or {}
        return Usage(int(usage["input_tokens"]), int(usage["output_tokens"]), int(details.get("cached_tokens") or 0))

    def ending(self, events: bytes) -> bool | None:
        found = _ENDS.search(events)
        if found:
            return found[1] != b"failed"
        return True if self.usage(events) else None  # the end of a last event that began earlier: no other has a usage

    def complete(self, body: bytes) -> bool:
        return super().complete(body) and not _UNFINISHED.search(body, 0, 1024)

    @staticmethod
    def _messages(request: Request) -> list[dict[str, Any]]:
        given = request.get("input") or []
        messages = [{"role": "user", "content": given}] if isinstance(given, str) else given
        instructions = request.get("instructions")
        return [{"role": "developer", "content": instructions}, *messages] if instructions else messages
