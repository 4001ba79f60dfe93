"""Work that nobody waits for is refused beforehand. Who waits may raise the limits, which changes no number.

Every limit of work, such as the steps of a rollout, is a usual one times the factor of `trainer.work`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

FIX = "raise trainer.work"
FIX_OF_LOADED = "allow more where it is loaded, work=2 or --work 2"  # whose training is over
MOST = 1_000_000  # times the usual
_factor: ContextVar[float] = ContextVar("factor", default=1.0)
_fix: ContextVar[str] = ContextVar("fix", default=FIX)


def work() -> float:
    """Times the usual work that is allowed here and now."""
    return _factor.get()


def fix() -> str:
    """How somebody raises the limits here and now."""
    return _fix.get()


def most(usual: int) -> int:
    """A limit of work here and now."""
    return int(usual * work())


@contextmanager
def allowed(factor: float, fix: str = FIX) -> Iterator[None]:
    """So many times the usual work is allowed inside; `fix` says how it is raised."""
    before, words = _factor.set(factor), _fix.set(fix)
    try:
        yield
    finally:
        _factor.reset(before)
        _fix.reset(words)
