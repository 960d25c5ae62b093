"""One model of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Self

KINDS = frozenset({"chat", "responses", "completions", "embeddings", "moderations"})
ENCODINGS = frozenset({"o200k_base", "cl100k_base"})
IMAGE_TOKENS = 1600
_MEMBERS = frozenset(
    {
        "kinds", "usd_per_million", "long_context_tokens", "context_tokens", "max_output_tokens", "encoding",
        "image_tokens", "fallback", "retires",
    }
)  # fmt: skip
_PRICES = frozenset({"input", "cached_input", "output", "cache_write"})


class CatalogError(ValueError):
    """The catalogue, or a configuration that names its models, cannot be used; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Model:
    """Prices are nano-dollars a token: a thousand times the dollars for a million."""

    name: str
    kinds: frozenset[str]
    input_nanousd: int
    cached_nanousd: int
    write_nanousd: int
    output_nanousd: int
    long_context_tokens: int
    context_tokens: int
    max_output_tokens: int
    encoding: str
    image_tokens: int
    """An upper estimate for one image: what it really costs depends on its size, which is not looked at."""
    fallback: str = ""
    retires: str = ""
    """The day on which OpenAI shuts it down, if that is announced."""
    chain: tuple[str, ...] = ()
    """The fallback, its fallback, and so on."""

    @property
    def free(self) -> bool:
        return not (self.input_nanousd or self.output_nanousd)

    def cheaper_than(self, other: Model) -> bool:
        return self.input_nanousd < other.input_nanousd and self.output_nanousd <= other.output_nanousd

    def times(self, factor: int, name: str) -> Model:
        """Another model that is like this one, but for its price; it has no fallback."""
        prices = ("input_nanousd", "cached_nanousd", "write_nanousd", "output_nanousd")
        return replace(self, name=name, chain=(), **{price: factor * getattr(self, price) for price in prices})

    @classmethod
    def parse(cls, name: str, entry: Mapping[str, Any]) -> Self:
        """A model out of the catalogue's file.

        Raises:
            CatalogError: a member is missing, unknown or cannot be.
        """
        for found, known in ((entry, _MEMBERS), (entry.get("usd_per_million", {}), _PRICES)):
            if unknown := sorted(found.keys() - known):
                raise CatalogError(f"{name}: there is no member {unknown[0]}; there are {', '.join(sorted(known))}.")
        try:
            kinds, prices, encoding = frozenset(entry["kinds"]), entry["usd_per_million"], entry["encoding"]
            costs = {price: _nanousd(name, price, prices[price]) for price in ("input", "cached_input", "output")}
            counts = {member: entry[member] for member in ("context_tokens", "max_output_tokens")}
        except KeyError as missing:
            raise CatalogError(f"{name}: {missing.args[0]} is missing.") from None
        counts |= {"long_context_tokens": entry.get("long_context_tokens", 0), "image_tokens": entry.get("image_tokens", IMAGE_TOKENS)}
        for member, count in counts.items():
            if type(count) is not int or count < 0:
                raise CatalogError(f"{name}: {member} must be a whole number of at least 0, not {count!r}.")
        if not kinds or not kinds <= KINDS:
            raise CatalogError(f"{name}: kinds must be some of {', '.join(sorted(KINDS))}.")
        if encoding not in ENCODINGS:
            raise CatalogError(f"{name}: encoding must be one of {', '.join(sorted(ENCODINGS))}.")
        return cls(
            name=name,
            kinds=kinds,
            input_nanousd=costs["input"],
            cached_nanousd=costs["cached_input"],
            write_nanousd=_nanousd(name, "cache_write", prices.get("cache_write", prices["input"])),
            output_nanousd=costs["output"],
            encoding=encoding,
            fallback=entry.get("fallback", ""),
            retires=_day(name, entry.get("retires", "")),
            **counts,
        )


def _nanousd(name: str, price: str, usd_per_million: object) -> int:
    """Nano-dollars a token, which must be a whole number of them."""
    if type(usd_per_million) not in {int, float} or usd_per_million < 0:  # type: ignore[operator]  # it is one of the two
        raise CatalogError(f"{name}: the price {price} must be dollars for a million tokens, not {usd_per_million!r}.")
    nanousd = float(usd_per_million) * 1000  # type: ignore[arg-type]  # as above
    if abs(nanousd - round(nanousd)) > 1e-6:  # noqa: PLR2004  what floats leave of a whole number
        raise CatalogError(f"{name}: the price {price} must be a multiple of 0.001 dollars for a million tokens, not {usd_per_million!r}.")
    return round(nanousd)


def _day(name: str, text: str) -> str:
    try:
        return text and date.fromisoformat(text).isoformat()
    except ValueError:
        raise CatalogError(f"{name}: retires must be a day, as 2027-01-31, not {text!r}.") from None
