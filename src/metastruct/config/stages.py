"""How far a long piece of work has come: whoever does it says so, whoever shows it listens. Nobody may.

What says so stands in the innermost loop that takes long, and knows neither consoles nor what it is a part of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[str, int, int], None]  # the stage, how far it has come, and how far at most
ADAPTING, ROLLING = "adapting: member", "following trajectories: instant"
TWIN = "training once more, to see what noise teaches: step"
JUDGING = "looking at what codes leave of the training: member"
_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def tell(stage: str, count: int, most: int) -> None:
    """Say that a stage has come so far, of at most so far."""
    if (listener := _listener.get()) is not None:
        listener(stage, count, most)


def is_heard() -> bool:
    """Does somebody listen?"""
    return _listener.get() is not None


@contextmanager
def heard(listener: Listener | None) -> Iterator[None]:
    """What is said inside goes to this listener; None: to nobody."""
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)
