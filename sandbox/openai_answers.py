"""What the stand-in for OpenAI answers: bodies, streams and errors in OpenAI's own shapes, the same for the same request.

Each function takes a request's body and gives either the answer's body or, for `"stream": true`, an iterator over the events of
its stream. Token counts are those of OpenAI's own tokenizer.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import itertools
import json
import math
import struct
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import toktok

CHAT_MODELS = ("gpt-5", "gpt-5-mini", "gpt-5-nano", "gpt-4.1", "gpt-4.1-mini", "gpt-4o", "gpt-4o-mini", "gpt-3.5-turbo")
MODELS = (*CHAT_MODELS, "gpt-3.5-turbo-instruct", "text-embedding-3-small", "text-embedding-3-large", "omni-moderation-latest")
QUOTED_CHARACTERS = 400
FLAGGED_WORDS = {"violence": "kill", "harassment": "idiot", "hate": "vermin", "self-harm": "suicide"}
CATEGORIES = (
    *FLAGGED_WORDS, "harassment/threatening", "hate/threatening", "illicit", "illicit/violent",
    "self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence/graphic",
)  # fmt: skip

Body = dict[str, Any]
Answer = Body | Iterator[str]


class ApiError(Exception):
    """An error answer of OpenAI."""

    def __init__(self, status: int, message: str, code: str | None = None, **details: Any) -> None:
        """`details` may give `param`, `kind` and `headers`."""
        super().__init__(message)
        self.status = status
        kind = details.get("kind", "invalid_request_error")
        self.body = {"error": {"message": message, "type": kind, "param": details.get("param"), "code": code}}
        self.headers: dict[str, str] = details.get("headers", {})


def tokens(text: str, model: str) -> int:
    return int(toktok.batch_count([text], _encoding(model), threads=1)[0])


def chat(body: Body) -> Answer:
    """The answer of /v1/chat/completions."""
    model, messages = str(body["model"]), _messages(body, "messages")
    stop = _strings(body, "stop") if body.get("stop") else []
    limit = _integer(body, "max_completion_tokens") or _integer(body, "max_tokens")
    texts = [_finish(text, model, limit, stop) for text in _texts(_last_said(messages), _integer(body, "n") or 1)]
    usage = _usage(_conversation_tokens(messages, model), sum(tokens(text, model) for text, _ in texts))
    head = {"id": _id("chatcmpl-"), "object": "chat.completion", "created": int(time.time()), "model": model, "service_tier": "default"}
    if body.get("stream"):
        return _chunks(head | {"object": "chat.completion.chunk"}, texts, _counted(body, usage), _chat_deltas)
    choices = [
        {"index": index, "message": {"role": "assistant", "content": text, "refusal": None, "annotations": []}, "finish_reason": reason}
        for index, (text, reason) in enumerate(texts)
    ]
    return head | {"choices": choices, "usage": usage}


def completions(body: Body) -> Answer:
    """The answer of /v1/completions: `n` choices for each prompt."""
    model, prompts = str(body["model"]), _strings(body, "prompt")
    wanted, stop = _integer(body, "n") or 1, _strings(body, "stop") if body.get("stop") else []
    limit, made = _integer(body, "max_tokens") or 16, max(wanted, _integer(body, "best_of") or 1)
    texts = [_finish(text, model, limit, stop) for prompt in prompts for text in _texts(prompt, wanted)]
    written = sum(tokens(text, model) for text, _ in texts) * made // wanted  # the best of several costs all of them
    usage = _usage(sum(tokens(prompt, model) for prompt in prompts), written)
    head: Body = {"id": _id("cmpl-"), "object": "text_completion", "created": int(time.time()), "model": model}
    if body.get("stream"):
        return _chunks(head, texts, _counted(body, usage), _completion_deltas)
    choices = [{"text": text, "index": index, "finish_reason": reason} for index, (text, reason) in enumerate(texts)]
    return head | {"choices": choices, "usage": usage}


def embeddings(body: Body) -> Answer:
    """The answer of /v1/embeddings: a unit vector for each text, the same for the same text."""
    model, texts = str(body["model"]), _strings(body, "input")
    size = _integer(body, "dimensions") or (3072 if model.endswith("large") else 1536)
    vectors = [_vector(text, size) for text in texts]
    packed = body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": i, "embedding": base64.b64encode(struct.pack(f"<{size}f", *v)).decode() if packed else v}
        for i, v in enumerate(vectors)
    ]
    count = sum(tokens(text, model) for text in texts)
    return {"object": "list", "data": data, "model": model, "usage": {"prompt_tokens": count, "total_tokens": count}}


def moderations(body: Body) -> Answer:
    """The answer of /v1/moderations: a text is flagged for a few plain words."""
    results = []
    for text in _strings(body, "input"):
        flagged = {name for name, word in FLAGGED_WORDS.items() if word in text.lower()}
        scores = {name: 0.98 if name in flagged else 0.0001 for name in CATEGORIES}
        kinds, verdicts = {name: ["text"] for name in CATEGORIES}, {name: name in flagged for name in CATEGORIES}
        verdict = {"flagged": bool(flagged), "categories": verdicts, "category_scores": scores, "category_applied_input_types": kinds}
        results.append(verdict)
    return {"id": _id("modr-"), "model": body["model"], "results": results}


def responses(body: Body) -> Answer:
    """The answer of /v1/responses."""
    model, given = str(body["model"]), body.get("input")
    messages = [{"role": "user", "content": given}] if isinstance(given, str) else _messages(body, "input")
    limit = _integer(body, "max_output_tokens")
    text, reason = _finish(_texts(_last_said(messages), 1)[0], model, limit, [])
    said = [{"role": "developer", "content": body["instructions"]}, *messages] if body.get("instructions") else messages
    read, written = _conversation_tokens(said, model), tokens(text, model)
    status = "completed" if reason == "stop" else "incomplete"
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    item = {"id": _id("msg_"), "type": "message", "role": "assistant", "status": status, "content": [part]}
    response = {
        "id": _id("resp_"), "object": "response", "created_at": int(time.time()), "status": "in_progress", "background": False,
        "error": None, "incomplete_details": None, "instructions": body.get("instructions"), "max_output_tokens": limit,
        "metadata": body.get("metadata") or {}, "model": model, "output": [], "parallel_tool_calls": True,
        "previous_response_id": body.get("previous_response_id"), "store": body.get("store", True), "temperature": 1.0,
        "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_p": 1.0, "truncation": "disabled", "usage": None,
    }  # fmt: skip
    usage = {
        "input_tokens": read, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": written, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": read + written,
    }  # fmt: skip
    reason_given = None if status == "completed" else {"reason": "max_output_tokens"}
    done = response | {"status": status, "incomplete_details": reason_given, "output": [item], "usage": usage}
    return _response_events(response, item, part, done) if body.get("stream") else done


def models() -> Body:
    return {"object": "list", "data": [model(name) for name in MODELS]}


def model(name: str) -> Body:
    if name not in MODELS:
        raise ApiError(404, f"The model '{name}' does not exist", "model_not_found", param="model")
    return {"id": name, "object": "model", "created": 1_750_000_000, "owned_by": "system"}


def answer(path: str, body: object) -> Answer:
    """The answer to a POST.

    Raises:
        ApiError: as OpenAI would answer it.
    """
    if not isinstance(body, dict):
        raise ApiError(400, "We could not parse the JSON body of your request. The OpenAI API expects a JSON payload.")
    if path == "moderations":
        body = {"model": MODELS[-1]} | body
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise ApiError(400, "you must provide a model parameter")
    if name not in MODELS:
        raise ApiError(404, f"The model `{name}` does not exist or you do not have access to it.", "model_not_found")
    return ENDPOINTS[path](body)


ENDPOINTS: dict[str, Callable[[Body], Answer]] = {
    "chat/completions": chat,
    "completions": completions,
    "embeddings": embeddings,
    "moderations": moderations,
    "responses": responses,
}


def _counted(body: Body, usage: Body) -> Body | None:
    """The usage, if the stream is to end with it."""
    options = body.get("stream_options") or {}
    if not isinstance(options, dict):
        raise _wrong_type("stream_options", "an object", options)
    return usage if options.get("include_usage") else None


def _chunks(
    head: Body, texts: list[tuple[str, str]], usage: Body | None, deltas: Callable[[int, str, str, str], Iterator[Body]]
) -> Iterator[str]:
    if usage:
        head = head | {"usage": None}
    streams = [deltas(index, text, reason, head["model"]) for index, (text, reason) in enumerate(texts)]
    for choice in itertools.chain.from_iterable(itertools.zip_longest(*streams)):  # choices take turns, as OpenAI's do
        if choice is not None:
            yield _event(head | {"choices": [choice]})
    if usage:
        yield _event(head | {"choices": [], "usage": usage})
    yield "data: [DONE]\n\n"


def _chat_deltas(index: int, text: str, reason: str, model: str) -> Iterator[Body]:
    first = {"role": "assistant", "content": "", "refusal": None}
    for delta in [first, *({"content": piece} for piece in _pieces(text, model))]:
        yield {"index": index, "delta": delta, "finish_reason": None}
    yield {"index": index, "delta": {}, "finish_reason": reason}


def _completion_deltas(index: int, text: str, reason: str, model: str) -> Iterator[Body]:
    for piece in _pieces(text, model):
        yield {"text": piece, "index": index, "finish_reason": None}
    yield {"text": "", "index": index, "finish_reason": reason}


def _response_events(response: Body, item: Body, part: Body, done: Body) -> Iterator[str]:
    at = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    started, empty = item | {"status": "in_progress", "content": []}, part | {"text": ""}
    events: list[tuple[str, Body]] = [
        ("response.created", {"response": response}),
        ("response.in_progress", {"response": response}),
        ("response.output_item.added", {"output_index": 0, "item": started}),
        ("response.content_part.added", at | {"part": empty}),
        *(("response.output_text.delta", at | {"delta": piece, "logprobs": []}) for piece in _pieces(part["text"], response["model"])),
        ("response.output_text.done", at | {"text": part["text"], "logprobs": []}),
        ("response.content_part.done", at | {"part": part}),
        ("response.output_item.done", {"output_index": 0, "item": item}),
        (f"response.{done['status']}", {"response": done}),
    ]
    for number, (name, data) in enumerate(events):
        yield f"event: {name}\n" + _event({"type": name, "sequence_number": number} | data)


def _event(data: Body) -> str:
    return f"data: {json.dumps(data, separators=(',', ':'))}\n\n"


def _texts(said: str, count: int) -> list[str]:
    """The answers to what was said; those of one request differ."""
    quote = said if len(said) <= QUOTED_CHARACTERS else said[:QUOTED_CHARACTERS] + "…"
    text = f'This is a stand-in for OpenAI, no model was asked. You said: "{quote}"'
    return [text, *(f"{text} (Answer {number}.)" for number in range(2, count + 1))]


def _finish(text: str, model: str, limit: int | None, stop: list[str]) -> tuple[str, str]:
    """The text up to the token limit or the first stop sequence, and the reason why it ends."""
    whole = limit is None or tokens(text, model) <= limit
    if limit is not None:
        text, _ = toktok.truncate(text, limit, _encoding(model))
    ends = [text.find(word) for word in stop if word in text]
    if ends:
        return text[: min(ends)], "stop"
    return text, "stop" if whole else "length"


@functools.lru_cache(maxsize=256)
def _pieces(text: str, model: str) -> tuple[str, ...]:
    """The text token by token; a character of several tokens comes with its last one, as OpenAI sends it."""
    encoding = _encoding(model)
    ends = dict.fromkeys(len(toktok.truncate(text, count, encoding)[0]) for count in range(tokens(text, model) + 1))
    return tuple(text[start:end] for start, end in itertools.pairwise(ends))


def _encoding(model: str) -> str:
    return "cl100k_base" if model.startswith(("gpt-3.5", "text-embedding")) else "o200k_base"


def _conversation_tokens(messages: list[Body], model: str) -> int:
    """The count of OpenAI's cookbook: 3 tokens frame each message and 3 begin the answer."""
    texts = [text for message in messages for text in (str(message.get("role", "")), _content(message))]
    names = [str(message["name"]) for message in messages if message.get("name")]
    counts: list[int] = toktok.batch_count([*texts, *names], _encoding(model), threads=1)
    return 3 * len(messages) + 3 + sum(counts) + len(names)


def _usage(read: int, written: int) -> Body:
    details = {"prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0}}
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written} | details


def _vector(text: str, size: int) -> list[float]:
    numbers = struct.unpack(f"<{size}h", hashlib.shake_256(text.encode()).digest(2 * size))
    length = math.hypot(*numbers) or 1.0
    return [number / length for number in numbers]


def _last_said(messages: list[Body]) -> str:
    return next((_content(message) for message in reversed(messages) if message.get("role") == "user"), "")


def _content(message: Body) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _messages(body: Body, name: str) -> list[Body]:
    value = _required(body, name)
    if not isinstance(value, list) or not all(isinstance(message, dict) for message in value):
        raise _wrong_type(name, "an array of objects", value)
    if not value:
        raise ApiError(400, f"Invalid '{name}': empty array. Expected an array with minimum length 1.", "empty_array", param=name)
    return value


def _strings(body: Body, name: str) -> list[str]:
    value = _required(body, name)
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values or not all(isinstance(text, str) for text in values):
        raise _wrong_type(name, "a string or an array of strings", value)
    return values


def _integer(body: Body, name: str) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong_type(name, "an integer", value)
    if value < 1:
        message = f"Invalid '{name}': integer below minimum value. Expected a value >= 1, but got {value} instead."
        raise ApiError(400, message, "integer_below_min_value", param=name)
    return value


def _required(body: Body, name: str) -> Any:
    if body.get(name) is None:
        raise ApiError(400, f"Missing required parameter: '{name}'.", "missing_required_parameter", param=name)
    return body[name]


def _wrong_type(name: str, expected: str, value: object) -> ApiError:
    names = {str: "a string", int: "an integer", float: "a decimal", bool: "a boolean", list: "an array", dict: "an object"}
    got = names.get(type(value), "null")
    return ApiError(400, f"Invalid type for '{name}': expected {expected}, but got {got} instead.", "invalid_type", param=name)


def _id(prefix: str) -> str:
    return prefix + uuid.uuid4().hex
