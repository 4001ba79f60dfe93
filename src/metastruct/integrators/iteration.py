"""Iterating to round-off, every trajectory on its own: what the implicit schemes share."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

ROUND_OFF = 8.0  # units in the last place of the largest component; what still moves below that is rounding
CAP = 200  # iterations; a contraction by 0.8 reaches round-off well before


def fixed_point(
    update: Callable[[Tensor], Tensor], start: Tensor, size: Tensor, instead: Callable[[], Tensor] | None = None
) -> Tensor:
    """The z with z = update(z), `[..., unknowns]`.

    A trajectory stops when its own largest change is below round-off of its own `size` and falls no further (Hairer,
    McLachlan, Razakarivony 2008: to stop a little earlier lets energies drift), so that its result does not depend on
    the others; one that has not stopped after CAP iterations becomes NaN, with a warning.

    Args:
        update: a contraction that treats the trajectories apart.
        start: first guess `[..., unknowns]`.
        size: largest number that the unknowns are added to, `[...]`.
        instead: makes what a trajectory takes that has not stopped `[..., unknowns]`, in place of NaN.
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
    failed = (moving | ~z.isfinite().all(-1)) & size.isfinite()
    return lost(z, failed, instead() if instead is not None and bool(failed.any()) else None)


def rounding(size: Tensor) -> Tensor:
    """The change that is round-off of numbers of these sizes `[...]`."""
    return ROUND_OFF * torch.finfo(size.dtype).eps * size


def lost(values: Tensor, failed: Tensor, instead: Tensor | None = None) -> Tensor:
    """The values, NaN or others for the trajectories that failed `[...]`, and then a warning that says how many."""
    if not failed.any():
        return values
    fate = "become NaN" if instead is None else "take a step without correction"
    warnings.warn(
        f"no convergence in {CAP} iterations for {int(failed.sum())} of {failed.numel()} trajectories, which {fate}; "
        "take a smaller integrator.step_size",
        RuntimeWarning,
        stacklevel=3,
    )
    return torch.where(failed[..., None], torch.nan if instead is None else instead, values)
