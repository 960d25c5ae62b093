"""POST /chat/completions."""

from __future__ import annotations

from app import tokens
from app.kind import COUNT, FLAG, OBJECT, SAMPLING, Kind, Request
from app.kind_input import MESSAGE_TOKENS, check_messages, compact, content_texts, message_tokens
from app.model import Model

_COUNTED = ("tools", "functions", "response_format")
"""Members that OpenAI puts into the prompt in a form of its own: counted as the JSON they are, which is about as long."""


class Chat(Kind):
    name = "chat"
    path = "/chat/completions"
    streams = True
    multipliers = ("n",)
    limits = ("max_completion_tokens", "max_tokens")
    rules = SAMPLING | dict.fromkeys(("stream", "store"), FLAG) | dict.fromkeys(("n", *limits), COUNT) | {"stream_options": OBJECT}

    def check_input(self, request: Request) -> None:
        check_messages(request.get("messages"), "messages")

    def prompt_tokens(self, request: Request, model: Model) -> int:
        found = [compact(request[name]) for name in _COUNTED if request.get(name)]
        extra = sum([message_tokens(message, model, found) for message in request["messages"]], MESSAGE_TOKENS)
        return extra + tokens.count(found, model.encoding)

    def texts(self, request: Request) -> list[str]:
        return [text for message in request["messages"] for text in content_texts(message.get("content"))]
