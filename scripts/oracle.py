"""What observations leave open of a member to one who knows the law and not its parameters."""

from __future__ import annotations

import numpy as np

from metastruct.data.observations import Observations
from metastruct.systems.system import Array, System

STEP = 1e-5  # of central differences


def oracle(system: System, mu: Array, at: Observations, std: tuple[Array, Array], noise: float, x: Array) -> Array:
    """Standard deviation of the true field at x with parameters that the same observations leave, to first order."""
    states = at.states.numpy()
    steps = STEP * np.ptp(system.ranges, axis=1)

    def by_parameters(places: Array) -> Array:
        shifts = [system.vector_field(places, mu + s) - system.vector_field(places, mu - s) for s in np.diag(steps)]
        return np.stack(shifts, -1) / (2 * steps)

    slopes = np.stack(
        [
            (system.vector_field(states + d, mu) - system.vector_field(states - d, mu)) / (2 * STEP)
            for d in STEP * np.eye(states.shape[-1])
        ],
        -1,
    )
    errors = (slopes * (noise * std[0]) ** 2) @ slopes.swapaxes(-1, -2) + np.diag((noise * std[1]) ** 2)
    j = by_parameters(states)
    information = np.einsum("tnsa,tnsr,tnrb->tab", j, np.linalg.inv(errors), j)
    covariance = np.linalg.inv(information + np.diag(12 / np.ptp(system.ranges, axis=1) ** 2))
    j = by_parameters(x)
    return np.sqrt(np.einsum("tnsa,tab,tnsb->tns", j, covariance, j))
