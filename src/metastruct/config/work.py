"""Work that nobody waits for is refused beforehand. Who waits may raise the limits, which changes no number.

Every limit of work, such as the steps of a rollout, is a usual one times the factor of `trainer.work`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

FIX = "raise trainer.work"
_factor: ContextVar[float] = ContextVar("factor", default=1.0)


def work() -> float:
    """Times the usual work that is allowed here and now."""
    return _factor.get()


def most(usual: int) -> int:
    """A limit of work here and now."""
    return int(usual * work())


@contextmanager
def allowed(factor: float) -> Iterator[None]:
    """So many times the usual work is allowed inside."""
    before = _factor.set(factor)
    try:
        yield
    finally:
        _factor.reset(before)
