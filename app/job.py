"""A request that was checked, and in which form it may go out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.kind import Kind
from app.limits import Limits
from app.model import Model
from app.reservation import Reservation


@dataclass(slots=True)
class Job:
    """What the relay needs to know of a request."""

    kind: Kind
    request: dict[str, Any]
    route: list[tuple[Model, bytes]]
    """The model that is asked, and its body; then what is asked when that one cannot answer."""
    prompt_tokens: int
    deadline: float
    reservation: Reservation
    limits: Limits
    hides_usage: bool
    """Whether a stream ends with usage that the gateway asked for, and the caller did not."""

    @property
    def stream(self) -> bool:
        return self.reservation.stream
