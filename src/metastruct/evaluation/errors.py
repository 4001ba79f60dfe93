"""Relative errors, one value a task, and the rule for divergence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Array = np.ndarray
STEP_ERROR, MODEL_ERROR = "integrator_error", "trajectory_error"  # of rollouts, as records name them
DIVERGED_ABOVE = 10.0
VANISHES = 1e-12  # of the largest component


def relative_error(learned: Array, true: Array) -> Array:
    """|learned - true|_2 / |true|_2 over all axes after the first, `[tasks]`; NaN where learned is not finite.

    What is NaN in `true` was not seen, and does not count.
    """
    flat = (len(true), -1)
    visible = ~np.isnan(true)
    if not visible.all():
        learned, true = np.where(visible, learned, 0.0), np.where(visible, true, 0.0)
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.linalg.norm((learned - true).reshape(flat), axis=1) / np.linalg.norm(true.reshape(flat), axis=1)
    return np.where(np.isfinite(error), error, np.nan)


def component_errors(learned: Array, true: Array) -> Array:
    """The relative error of each component of the state, `[tasks, state]`; NaN where it is zero but for round-off."""
    errors = [relative_error(learned[..., i], true[..., i]) for i in range(true.shape[-1])]
    sizes = np.linalg.norm(np.nan_to_num(true).reshape(len(true), -1, true.shape[-1]), axis=1)
    return np.where(sizes > VANISHES * sizes.max(axis=1, keepdims=True), np.stack(errors, axis=-1), np.nan)


def errors_by_component(learned: Array, true: Array, names: Sequence[str]) -> dict[str, Array]:
    """The relative error of the whole state, under "", and of each of its components, all `[tasks]`."""
    return {"": relative_error(learned, true)} | dict(zip(names, component_errors(learned, true).T, strict=True))


def diverged(trajectory_error: Array) -> Array:
    """Tasks `[tasks]` whose rollouts are not finite or off by more than ten times the true norm."""
    return ~(np.nan_to_num(trajectory_error, nan=np.inf) <= DIVERGED_ABOVE)
