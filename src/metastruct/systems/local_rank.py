"""How many directions a family has, far apart and close by (proposition 3.1).

*Affine dimension*: the least r with f(x; mu) = f_0(x) + sum_i c_i(mu) f_i(x), i = 1..r; a model affine in a code of r
numbers then holds the family exactly. It is the rank of the members' fields, less their mean, at common states.
*Local rank*: that of d f / d mu, at one state (at most the size of the state) or at many states of one member together
(at most the number of parameters). Ranks are numerical: singular values above a tolerance times the largest one.
"""

from __future__ import annotations

import numpy as np

from metastruct.systems.system import Array, System

STEP = 1e-4  # of central differences, in widths of the parameters' ranges: their error is near 1e-8


def numerical_rank(matrices: Array, tolerance: float) -> Array:
    """Singular values above `tolerance` times the largest, for matrices `[..., rows, columns]`."""
    values = np.linalg.svd(matrices, compute_uv=False)
    return (values > tolerance * values[..., :1]).sum(-1)


def affine_dimension(fields: Array, tolerance: float) -> int:
    """From the fields of many members at the same states, `[members, points, state]`, each component of spread one."""
    spread = fields.std(axis=(0, 1))
    scaled = fields / np.where(spread > 0, spread, 1.0)
    return int(numerical_rank((scaled - scaled.mean(axis=0)).reshape(len(fields), -1), tolerance))


def parameter_jacobian(system: System, x: Array, mu: Array) -> Array:
    """d f / d mu `[tasks, points, state, parameters]`, each parameter in widths of its range; zeros for a fixed one."""
    shifts = STEP * np.diag(system.ranges[:, 1] - system.ranges[:, 0])
    rows = [(system.vector_field(x, mu + shift) - system.vector_field(x, mu - shift)) / (2 * STEP) for shift in shifts]
    return np.stack(rows, axis=-1)


def local_ranks(system: System, x: Array, mu: Array, tolerance: float) -> tuple[Array, Array]:
    """Rank of d f / d mu at each state `[tasks, points]`, and at all states of a member together `[tasks]`."""
    jacobian = parameter_jacobian(system, x, mu)
    return numerical_rank(jacobian, tolerance), numerical_rank(jacobian.reshape(len(mu), -1, mu.shape[-1]), tolerance)
