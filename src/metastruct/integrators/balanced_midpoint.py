"""The implicit midpoint rule, held to the balance of power; a discrete gradient for whatever has an energy.

Gonzalez (1996) changes the gradient at the midpoint so that the energy of a step is exact; here the increment moves
along the gradient instead, which asks for the field alone and not for the matrix between gradient and field.
"""

from __future__ import annotations

import torch
from torch import Tensor

from metastruct.integrators.flow import Flow
from metastruct.integrators.integrator import Integrator, duration
from metastruct.integrators.iteration import iterated, lost, rounding

MOST = 0.1  # of a step that a correction may be


class BalancedMidpoint(Integrator):
    """x_1 = x + h f(m) + lambda grad E(m), m = (x + x_1)/2, with E(x_1) = E(x) + h P(m): order two, reversible.

    P = dE/dt is what inputs give less what friction takes, so passivity holds in every step, however long it is. Both
    are found by one fixed-point iteration to round-off. A correction is at most a tenth of the step: at the bottom of
    the energy, where grad E is zero, there may be no state of the energy that is asked for. A trajectory takes the
    plain rule where its correction would be larger, or may be nothing but round-off of the energy, or is not found, and
    becomes NaN where that rule does not converge either; both are told.

    Raises:
        TypeError: at the first step, where the flow has no energy.
    """

    order = 2

    def step(self, flow: Flow, x: Tensor, h: Tensor) -> Tensor:
        energy = flow.energy(x)

        def uncorrected(d: Tensor) -> Tensor:
            return h * flow.vector_field(x + d / 2, 0.5)

        def terms(d: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
            """The plain rule, grad E, the energy that it shall add to that rule, and the most that it may."""
            middle = x + d / 2
            plain, direction = uncorrected(d), flow.energy_gradient(middle)
            gain = 0.0 if flow.keeps_energy else duration(h) * flow.power(middle, 0.5)
            missing = gain - (flow.energy(x + d) - energy) + (direction * (d - plain)).sum(-1)
            most = MOST * torch.linalg.vector_norm(plain, dim=-1) * torch.linalg.vector_norm(direction, dim=-1)
            return plain, direction, missing, most

        def update(d: Tensor) -> Tensor:
            plain, direction, missing, most = terms(d)
            slope = (direction * direction).sum(-1)
            share = missing.clamp(-most, most) / torch.where(slope > 0, slope, 1.0)
            return plain + share[..., None] * direction

        size, number = x.abs().amax(-1), torch.finfo(x.dtype)
        steepness = torch.linalg.vector_norm(flow.energy_gradient(x), dim=-1)
        blurred = (energy.abs() / steepness.clamp_min(number.tiny)).clamp_max(number.max)  # of x, by round-off of E
        d, failed = iterated(update, 0 * x, torch.maximum(size, blurred))
        plain, _, missing, most = terms(d)
        hidden = (rounding(energy.abs()) > most) & (plain.abs().amax(-1) > rounding(size))
        failed = (failed | hidden | (missing.abs() > most)) & size.isfinite()
        if failed.any():
            plain, without = iterated(uncorrected, 0 * x, size)
            d = lost(lost(d, failed & ~without, plain), failed & without)
        return x + d
