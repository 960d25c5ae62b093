"""What a process that does nothing but serve does for its speed; a program that has the gateway within it does not want it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from app import log

THRESHOLDS = 5_000, 10, 10
"""How many more objects there are when Python looks for unreachable ones: some fifty requests at once have as many, and what a request
leaves behind is free without it, unless it failed."""


@contextmanager
def serving() -> Iterator[None]:
    """From the end of the start to the beginning of the end."""
    gc.freeze()  # what is there now stays, and need not be looked at again and again
    before = gc.get_threshold()
    gc.set_threshold(*THRESHOLDS)
    try:
        with log.gathered():
            yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
