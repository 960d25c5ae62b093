"""POST /completions, /embeddings and /moderations: requests whose input is a text or an array of them."""

from __future__ import annotations

from types import MappingProxyType

from app import tokens
from app.kind import COUNT, FLAG, OBJECT, SAMPLING, TEXT, Kind, Request, refuse
from app.kind_input import check_texts, content_texts, items, parts_tokens, strings, texts_tokens
from app.model import Model

PROMPTS = 20
"""Most prompts in one request: what OpenAI's guide recommends and, where it is more, refuses."""
INPUTS = 2048
"""Most inputs of one request for embeddings."""
OUTPUT_TOKENS = 16
"""What OpenAI writes for a completion that asks for no number of tokens."""


class Completions(Kind):
    name = "completions"
    path = "/completions"
    streams = True
    multipliers = ("n", "best_of")
    limits = ("max_tokens",)
    rules = SAMPLING | {"stream": FLAG, "stream_options": OBJECT, "suffix": TEXT} | dict.fromkeys((*multipliers, *limits), COUNT)

    def check_input(self, request: Request) -> None:
        check_texts(request.get("prompt"), "prompt", PROMPTS)

    def prompt_tokens(self, request: Request, model: Model) -> int:
        return texts_tokens(request["prompt"], model) + tokens.count(strings(request.get("suffix")), model.encoding)

    def texts(self, request: Request) -> list[str]:
        return strings(request["prompt"]) + strings(request.get("suffix"))

    def output_limit(self, request: Request, model: Model, default: int, maximum: int) -> int:
        return super().output_limit(request, model, min(default, OUTPUT_TOKENS), maximum)

    def prompts(self, request: Request) -> int:
        return items(request["prompt"])


class Embeddings(Kind):
    name = "embeddings"
    path = "/embeddings"
    rules = MappingProxyType({"dimensions": COUNT, "encoding_format": TEXT})

    def check_input(self, request: Request) -> None:
        check_texts(request.get("input"), "input", INPUTS)

    def prompt_tokens(self, request: Request, model: Model) -> int:
        return texts_tokens(request["input"], model)

    def texts(self, request: Request) -> list[str]:
        return strings(request["input"])

    def output_tokens(self, _request: Request, _model: Model, _default: int, _maximum: int) -> int:
        return 0


class Moderations(Kind):
    """Texts, or parts with texts and images. It costs nothing, and counts only against limits of tokens."""

    name = "moderations"
    path = "/moderations"
    model = "omni-moderation-latest"

    def check_input(self, request: Request) -> None:
        given = request.get("input")
        if isinstance(given, list) and given and all(isinstance(part, dict) for part in given):
            return
        if not (isinstance(given, str) or (isinstance(given, list) and given and all(isinstance(text, str) for text in given))):
            refuse("input", "must be a string, or an array of strings or of objects")

    def prompt_tokens(self, request: Request, model: Model) -> int:
        given = request["input"]
        found: list[str] = []
        if isinstance(given, str) or isinstance(given[0], str):
            return tokens.count(strings(given), model.encoding)
        return parts_tokens(given, model, found) + tokens.count(found, model.encoding)

    def texts(self, request: Request) -> list[str]:
        return strings(request["input"]) or content_texts(request["input"])

    def output_tokens(self, _request: Request, _model: Model, _default: int, _maximum: int) -> int:
        return 0
