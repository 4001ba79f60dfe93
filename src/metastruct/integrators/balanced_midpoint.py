"""The implicit midpoint rule, held to the balance of power; a discrete gradient for whatever has an energy.

Gonzalez (1996) changes the gradient at the midpoint so that the energy of a step is exact; here the increment moves
along the gradient instead, which asks for the field alone and not for the matrix between gradient and field.
"""

from __future__ import annotations

import torch
from torch import Tensor

from metastruct.integrators.flow import Flow
from metastruct.integrators.integrator import Integrator, duration
from metastruct.integrators.iteration import fixed_point

MOST = 0.1  # of a step that a correction may be


class BalancedMidpoint(Integrator):
    """x_1 = x + h f(m) + lambda grad E(m), m = (x + x_1)/2, with E(x_1) = E(x) + h P(m): order two, reversible.

    P = dE/dt is what inputs give less what friction takes, so passivity holds in every step, however long it is. Both
    are found by one fixed-point iteration to round-off. A correction is at most a tenth of the step: at the bottom of
    the energy, where grad E is zero, there may be no state of the energy that is asked for. A trajectory where it does
    not converge, as where all motion is less than the round-off of the energy, takes the plain rule, and becomes NaN
    where that does not either; both with a warning.

    Raises:
        TypeError: at the first step, where the flow has no energy.
    """

    order = 2

    def step(self, flow: Flow, x: Tensor, h: Tensor) -> Tensor:
        energy = flow.energy(x)

        def uncorrected(d: Tensor) -> Tensor:
            return h * flow.vector_field(x + d / 2, 0.5)

        def update(d: Tensor) -> Tensor:
            middle = x + d / 2
            plain, direction = uncorrected(d), flow.energy_gradient(middle)
            slope = (direction * direction).sum(-1)
            gain = 0.0 if flow.keeps_energy else duration(h) * flow.power(middle, 0.5)
            missing = gain - (flow.energy(x + d) - energy) + (direction * (d - plain)).sum(-1)
            most = MOST * torch.linalg.vector_norm(plain, dim=-1) * slope.sqrt()
            share = missing.clamp(-most, most) / torch.where(slope > 0, slope, 1.0)
            return plain + share[..., None] * direction

        steepness = torch.linalg.vector_norm(flow.energy_gradient(x), dim=-1)
        blurred = energy.abs() / steepness.clamp_min(torch.finfo(x.dtype).tiny)  # what round-off of E leaves open of x
        size = x.abs().amax(-1)
        blurred = torch.maximum(size, blurred)
        return x + fixed_point(update, 0 * x, blurred, lambda: fixed_point(uncorrected, 0 * x, size))
