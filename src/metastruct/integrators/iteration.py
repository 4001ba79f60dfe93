"""Iterating to round-off, every trajectory on its own, and telling what was not solved: what implicit schemes share."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

ROUND_OFF = 8.0  # units in the last place of the largest component; what still moves below that is rounding
CAP = 200  # iterations; a contraction by 0.8 reaches round-off well before
_unsolved: ContextVar[dict[str, Tensor] | None] = ContextVar("unsolved", default=None)  # steps by their fate, `[...]`


def fixed_point(update: Callable[[Tensor], Tensor], start: Tensor, size: Tensor) -> Tensor:
    """The z with z = update(z), `[..., unknowns]`, NaN where it is not found; arguments as of `iterated`."""
    return lost(*iterated(update, start, size))


def iterated(update: Callable[[Tensor], Tensor], start: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
    """The z with z = update(z), `[..., unknowns]`, and where it was not found `[...]`.

    A trajectory stops when its own largest change is below round-off of its own `size` and falls no further (Hairer,
    McLachlan, Razakarivony 2008: to stop a little earlier lets energies drift), so that its result does not depend on
    the others; one that has not stopped after CAP iterations has failed.

    Args:
        update: a contraction that treats the trajectories apart.
        start: first guess `[..., unknowns]`.
        size: largest number that the unknowns are added to, `[...]`; where it is not finite, there is nothing to find.
    """
    z, moving, last = start, torch.ones_like(size, dtype=torch.bool), torch.full_like(size, torch.inf)
    for _ in range(CAP):
        new = update(z)
        change = (new - z).abs().amax(-1)
        z = torch.where(moving[..., None], new, z)
        settled = (change <= rounding(torch.maximum(size, z.abs().amax(-1)))) & ((change >= last) | (change == 0))
        moving, last = moving & ~settled & new.isfinite().all(-1), change
        if not moving.any():
            break
    return z, (moving | ~z.isfinite().all(-1)) & size.isfinite()


def rounding(size: Tensor) -> Tensor:
    """The change that is round-off of numbers of these sizes `[...]`."""
    return ROUND_OFF * torch.finfo(size.dtype).eps * size


def lost(values: Tensor, failed: Tensor, instead: Tensor | None = None) -> Tensor:
    """The values, NaN or others for the trajectories that failed `[...]`, which is told: see `told_once`."""
    if not failed.any():
        return values
    with told_once():
        counts, fate = _unsolved.get(), "became NaN" if instead is None else "were taken without correction"
        assert counts is not None
        counts[fate] = counts.get(fate, 0) + failed.long()
    return torch.where(failed[..., None], torch.nan if instead is None else instead, values)


@contextmanager
def told_once() -> Iterator[None]:
    """Steps that are not solved within are told at the end, by one warning that says how many of what fate."""
    if _unsolved.get() is not None:
        yield
        return
    counts: dict[str, Tensor] = {}
    token = _unsolved.set(counts)
    try:
        yield
    finally:
        _unsolved.reset(token)
    if counts:
        where, number = torch.stack([*counts.values()]).any(0), sum(int(steps.sum()) for steps in counts.values())
        fates = ", ".join(f"{int(steps.sum())} {fate}" for fate, steps in counts.items())
        warnings.warn(
            f"{number} steps of {int(where.sum())} of {where.numel()} trajectories were not solved: {fates}; take a "
            "smaller integrator.step_size",
            RuntimeWarning,
            stacklevel=3,
        )
