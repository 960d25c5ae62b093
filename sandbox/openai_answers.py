"""What the stand-in for OpenAI answers: bodies, streams and errors in OpenAI's own shapes, the same for the same request.

Each function takes a request's body and gives either the answer's body or, for `"stream": true`, an iterator over the events of
its stream. Token counts are those of OpenAI's own tokenizer.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import math
import struct
import time
from collections.abc import Callable, Iterator
from functools import partial

from sandbox.openai_shapes import (
    ApiError,
    Body,
    conversation_tokens,
    event,
    finish,
    identifier,
    integer,
    last_said,
    messages_of,
    pieces,
    strings,
    texts_of,
    tokens,
    wrong_type,
)
from sandbox.openai_tools import call_deltas, formatted, tool_call

CHAT_MODELS = (
    "gpt-6.1-terra", "gpt-6-luna", "gpt-5", "gpt-5-mini", "gpt-5-nano",
    "gpt-4.1", "gpt-4.1-mini", "gpt-4o", "gpt-4o-mini", "gpt-3.5-turbo",
)  # fmt: skip
MODELS = (*CHAT_MODELS, "gpt-3.5-turbo-instruct", "text-embedding-3-small", "text-embedding-3-large", "omni-moderation-latest")
FLAGGED_WORDS = {"violence": "kill", "harassment": "idiot", "hate": "vermin", "self-harm": "suicide"}
CATEGORIES = (
    *FLAGGED_WORDS, "harassment/threatening", "hate/threatening", "illicit", "illicit/violent",
    "self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence/graphic",
)  # fmt: skip

Answer = Body | Iterator[str]


def chat(body: Body) -> Answer:
    """The answer of /v1/chat/completions."""
    model, messages = str(body["model"]), messages_of(body, "messages")
    stop = strings(body, "stop") if body.get("stop") else []
    limit = integer(body, "max_completion_tokens") or integer(body, "max_tokens")
    call, form, wanted = tool_call(body, messages), formatted(body), integer(body, "n") or 1
    plain = [form] * wanted if form else texts_of(last_said(messages), wanted)
    texts = [(call["function"]["arguments"], "tool_calls")] if call else [finish(text, model, limit, stop) for text in plain]
    usage = _usage(conversation_tokens(messages, model), sum(tokens(text, model) for text, _ in texts))
    head = {
        "id": identifier("chatcmpl-"),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "service_tier": "default",
    }
    if body.get("stream"):
        deltas = partial(call_deltas, call) if call else _chat_deltas
        return _chunks(head | {"object": "chat.completion.chunk"}, texts, _counted(body, usage), deltas)
    said: list[Body] = [{"content": None, "tool_calls": [call]}] if call else [{"content": text} for text, _ in texts]
    message: Body = {"role": "assistant", "refusal": None, "annotations": []}
    choices = [
        {"index": index, "message": message | words, "finish_reason": reason}
        for index, (words, (_, reason)) in enumerate(zip(said, texts, strict=True))
    ]
    return head | {"choices": choices, "usage": usage}


def completions(body: Body) -> Answer:
    """The answer of /v1/completions: `n` choices for each prompt."""
    model, prompts = str(body["model"]), strings(body, "prompt")
    wanted, stop = integer(body, "n") or 1, strings(body, "stop") if body.get("stop") else []
    limit, made = integer(body, "max_tokens") or 16, max(wanted, integer(body, "best_of") or 1)
    texts = [finish(text, model, limit, stop) for prompt in prompts for text in texts_of(prompt, wanted)]
    written = sum(tokens(text, model) for text, _ in texts) * made // wanted  # the best of several costs all of them
    usage = _usage(sum(tokens(prompt, model) for prompt in prompts), written)
    head: Body = {"id": identifier("cmpl-"), "object": "text_completion", "created": int(time.time()), "model": model}
    if body.get("stream"):
        return _chunks(head, texts, _counted(body, usage), _completion_deltas)
    choices = [{"text": text, "index": index, "finish_reason": reason} for index, (text, reason) in enumerate(texts)]
    return head | {"choices": choices, "usage": usage}


def embeddings(body: Body) -> Answer:
    """The answer of /v1/embeddings: a unit vector for each text, the same for the same text."""
    model, texts = str(body["model"]), strings(body, "input")
    size = integer(body, "dimensions") or (3072 if model.endswith("large") else 1536)
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
    for text in strings(body, "input"):
        flagged = {name for name, word in FLAGGED_WORDS.items() if word in text.lower()}
        scores = {name: 0.98 if name in flagged else 0.0001 for name in CATEGORIES}
        kinds, verdicts = {name: ["text"] for name in CATEGORIES}, {name: name in flagged for name in CATEGORIES}
        verdict = {"flagged": bool(flagged), "categories": verdicts, "category_scores": scores, "category_applied_input_types": kinds}
        results.append(verdict)
    return {"id": identifier("modr-"), "model": body["model"], "results": results}


def responses(body: Body) -> Answer:
    """The answer of /v1/responses."""
    model, given = str(body["model"]), body.get("input")
    messages = [{"role": "user", "content": given}] if isinstance(given, str) else messages_of(body, "input")
    limit = integer(body, "max_output_tokens")
    text, reason = finish(texts_of(last_said(messages), 1)[0], model, limit, [])
    said = [{"role": "developer", "content": body["instructions"]}, *messages] if body.get("instructions") else messages
    read, written = conversation_tokens(said, model), tokens(text, model)
    status = "completed" if reason == "stop" else "incomplete"
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    item = {"id": identifier("msg_"), "type": "message", "role": "assistant", "status": status, "content": [part]}
    response = {
        "id": identifier("resp_"), "object": "response", "created_at": int(time.time()), "status": "in_progress", "background": False,
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
        raise wrong_type("stream_options", "an object", options)
    return usage if options.get("include_usage") else None


def _chunks(
    head: Body, texts: list[tuple[str, str]], usage: Body | None, deltas: Callable[[int, str, str, str], Iterator[Body]]
) -> Iterator[str]:
    if usage:
        head = head | {"usage": None}
    streams = [deltas(index, text, reason, head["model"]) for index, (text, reason) in enumerate(texts)]
    for choice in itertools.chain.from_iterable(itertools.zip_longest(*streams)):  # choices take turns, as OpenAI's do
        if choice is not None:
            yield event(head | {"choices": [choice]})
    if usage:
        yield event(head | {"choices": [], "usage": usage})
    yield "data: [DONE]\n\n"


def _chat_deltas(index: int, text: str, reason: str, model: str) -> Iterator[Body]:
    first = {"role": "assistant", "content": "", "refusal": None}
    for delta in [first, *({"content": piece} for piece in pieces(text, model))]:
        yield {"index": index, "delta": delta, "finish_reason": None}
    yield {"index": index, "delta": {}, "finish_reason": reason}


def _completion_deltas(index: int, text: str, reason: str, model: str) -> Iterator[Body]:
    for piece in pieces(text, model):
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
        *(("response.output_text.delta", at | {"delta": piece, "logprobs": []}) for piece in pieces(part["text"], response["model"])),
        ("response.output_text.done", at | {"text": part["text"], "logprobs": []}),
        ("response.content_part.done", at | {"part": part}),
        ("response.output_item.done", {"output_index": 0, "item": item}),
        (f"response.{done['status']}", {"response": done}),
    ]
    for number, (name, data) in enumerate(events):
        yield f"event: {name}\n" + event({"type": name, "sequence_number": number} | data)


def _usage(read: int, written: int) -> Body:
    details = {"prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0}}
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written} | details


def _vector(text: str, size: int) -> list[float]:
    numbers = struct.unpack(f"<{size}h", hashlib.shake_256(text.encode()).digest(2 * size))
    length = math.hypot(*numbers) or 1.0
    return [number / length for number in numbers]
