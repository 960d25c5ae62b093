"""The models: which there are, what they cost, and which stands in for which."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.errors import InvalidRequestError, NotFoundError
from app.model import CatalogError, Model
from app.usage import Usage

PATH = Path(__file__).with_name("catalog.json")
LONG_INPUT, LONG_OUTPUT_HALVES = 2, 3
"""A prompt beyond a model's `long_context_tokens` costs twice as much, all of it, and its answer one and a half times."""
WRITTEN_TOKENS = 1024
"""Shortest prompt that OpenAI writes to its own cache: from there on, what it did not read from there counts as written."""
TIER_HALVES = {"priority": 4, "fast": 4, "flex": 1}
"""What a `service_tier` costs, in halves of the standard price."""
FINE_TUNED = 2
"""A fine-tuned model without an entry of its own counts as this many times its base."""
_SNAPSHOT = re.compile(r"(.+)-20\d\d-\d\d-\d\d")
_TUNED = re.compile(r"ft:([^:]+):.+")


class Catalog:
    """What OpenAI offers. `allowed` is a part of it: the stage's models, or those of one client; aliases stand for the first allowed."""

    def __init__(self, models: dict[str, Model], aliases: dict[str, tuple[str, ...]], version: str) -> None:
        self.version = version
        self._models = models
        self._aliases = aliases
        self._free = tuple(model.name for model in models.values() if model.free)

    @classmethod
    def load(cls, path: Path = PATH) -> Catalog:
        """Read the catalogue.

        Raises:
            CatalogError: something in it cannot be; the message names it.
        """
        found: dict[str, Any] = json.loads(path.read_text())
        models = {name: Model.parse(name, entry) for name, entry in found["models"].items()}
        models = {name: replace(model, chain=tuple(_chain(models, model))) for name, model in models.items()}
        aliases = {alias: tuple(names) for alias, names in found["aliases"].items()}
        for alias, names in aliases.items():
            if alias in models or not names:
                raise CatalogError(f"The alias {alias} must have models, and not be one itself.")
            if unknown := next((name for name in names if name not in models), None):
                raise CatalogError(f"The alias {alias} names {unknown}, which is not in the catalogue.")
        return cls(models, aliases, f"{found['version']} of {found['date']}")

    def check(self, names: Collection[str]) -> None:
        """Refuse names of models, as of a stage's configuration, that have no price.

        Raises:
            CatalogError: it names them, and says where models are added.
        """
        if unknown := [name for name in names if name not in self._aliases and self._find(name) is None]:
            raise CatalogError(f"Models that are not in the catalogue: {', '.join(unknown)}. Add each with its price to app/{PATH.name}.")

    def names(self, allowed: Collection[str]) -> list[str]:
        """What a caller may write as the model: allowed models, the free ones, and the aliases that stand for one of them."""
        found = [name for name in allowed if self._find(name)]
        found += [name for name in self._free if name not in allowed]
        return found + [alias for alias, targets in self._aliases.items() if alias in allowed or any(name in allowed for name in targets)]

    def encodings(self, allowed: Collection[str]) -> set[str]:
        """The encodings of the models that may answer, whose tables take a while to load."""
        return {model.encoding for name in self.names(allowed) if (model := self._models.get(name))}

    def resolve(self, name: object, allowed: Collection[str], kind: str = "") -> Model:
        """The model that a request means.

        Raises:
            NotFoundError: it is not allowed or not known; the message names what is.
            InvalidRequestError: it is no name, or the model does not serve this kind of request.
        """
        if not isinstance(name, str) or not name:
            raise InvalidRequestError("Invalid value for 'model': it must be a string.", param="model", code="invalid_value")
        model = self._find(name) if name in allowed or name in self._free else None
        if model is None and name in self._aliases:
            targets = self._aliases[name]
            candidates = (self._models[target] for target in targets if target in allowed or name in allowed)
            model = next((candidate for candidate in candidates if not kind or kind in candidate.kinds), None)
        if model is None:
            message = f"The model {name[:100]!r} does not exist here; there are: {', '.join(self.names(allowed))}."
            raise NotFoundError(message, param="model", code="model_not_found")
        if kind and kind not in model.kinds:
            message = f"The model {name[:100]!r} does not answer {kind}; it answers: {', '.join(sorted(model.kinds))}."
            raise InvalidRequestError(message, param="model", code="unsupported_model")
        return model

    def fallback(self, model: Model, allowed: Collection[str], tokens: int = 0) -> Model | None:
        """The model that answers when this one cannot: one that holds `tokens`, and for which these do not cost more."""
        for name in model.chain:
            found = self._models[name]
            long = tokens > found.long_context_tokens > 0 and not model.long_context_tokens
            if name in allowed and tokens <= found.context_tokens and not long:
                return found
        return None

    def cheaper(self, model: Model, allowed: Collection[str], tokens: int = 0) -> Model:
        """The next model that costs less; the model itself if there is none."""
        candidates = (self._models[name] for name in model.chain if name in allowed)
        return next((found for found in candidates if found.cheaper_than(model) and tokens <= found.context_tokens), model)

    @staticmethod
    def cost_nanousd(model: Model, usage: Usage, tier: object = None) -> int:
        """What OpenAI charges for it, at the price of the `service_tier` that was asked for."""
        prompt, completion, cached = usage.prompt_tokens, usage.completion_tokens, min(usage.cached_tokens, usage.prompt_tokens)
        fresh_nanousd = model.write_nanousd if prompt >= WRITTEN_TOKENS else model.input_nanousd
        cost = (prompt - cached) * fresh_nanousd + cached * model.cached_nanousd
        if model.long_context_tokens and prompt > model.long_context_tokens:
            cost = cost * LONG_INPUT + completion * model.output_nanousd * LONG_OUTPUT_HALVES // 2
        else:
            cost += completion * model.output_nanousd
        return cost if tier is None else cost * _halves(tier) // 2

    @classmethod
    def reserve_nanousd(cls, model: Model, prompt: int, output: int, tier: object = None) -> int:
        """The most that a request can cost: nothing of its prompt cached, and every token of the answer used."""
        return cls.cost_nanousd(model, Usage(prompt, output), tier)

    def _find(self, name: str) -> Model | None:
        """The model of this name; a dated snapshot is its model under another name, and nothing stands in for a fine-tuned one."""
        model = self._models.get(name)
        if model is None and (tuned := _TUNED.fullmatch(name)):
            base = self._find(tuned[1])
            return base and base.times(FINE_TUNED, name)
        if model is None and (dated := _SNAPSHOT.fullmatch(name)) and dated[1] in self._models:
            model = replace(self._models[dated[1]], name=name)
        return model


def _halves(tier: object) -> int:
    return TIER_HALVES.get(tier, 2) if isinstance(tier, str) else 2


def _chain(models: dict[str, Model], model: Model) -> Iterator[str]:
    """The fallbacks of a model, one after the other."""
    seen = [model.name]
    while name := model.fallback:
        if name not in models:
            raise CatalogError(f"{model.name} falls back on {name}, which is not in the catalogue.")
        if name in seen:
            raise CatalogError(f"Fallbacks go in a circle: {' -> '.join([*seen, name])}.")
        following = models[name]
        if not following.kinds >= model.kinds:
            raise CatalogError(f"{model.name} falls back on {name}, which does not answer all that it answers.")
        if any(getattr(following, price) > getattr(model, price) for price in ("input_nanousd", "write_nanousd", "output_nanousd")):
            raise CatalogError(f"{model.name} falls back on {name}, which costs more: a request's reservation would not cover it.")
        seen.append(name)
        yield name
        model = following
