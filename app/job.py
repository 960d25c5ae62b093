"""A request that was checked, and in which form it may go out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from app.kind import Kind
from app.limits import Limits
from app.model import Model
from app.reading import Reading
from app.reservation import Reservation
from app.sender import Route


class Bodies:
    """A route whose bodies are made when their model is asked: most requests need one at most."""

    __slots__ = ("_body", "_models")

    def __init__(self, models: list[Model], body: Callable[[Model], bytes]) -> None:
        self._models = models
        self._body = body

    def __len__(self) -> int:
        return len(self._models)

    def __iter__(self) -> Iterator[tuple[Model, bytes]]:
        return ((model, self._body(model)) for model in self._models)


@dataclass(slots=True)
class Job:
    """What the relay needs to know of a request."""

    kind: Kind
    reading: Reading
    model: Model
    route: Route
    """The model that is asked, and its body; then what is asked when that one cannot answer."""
    prompt_tokens: int
    deadline: float
    reservation: Reservation
    limits: Limits
    hides_usage: bool
    """Whether a stream ends with usage that the gateway asked for, and the caller did not."""

    @property
    def request(self) -> dict[str, Any]:
        return self.reading.request

    @property
    def stream(self) -> bool:
        return self.reservation.stream
