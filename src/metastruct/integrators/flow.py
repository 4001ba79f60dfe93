"""What an integrator may ask of a dynamics: its vector field, and the energy that it keeps, if there is one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Function = Callable[[Tensor], Tensor]


class Flow:
    """dx/dt = f(x), with what f conserves.

    Args:
        vector_field: maps states `[..., state]` to dx/dt of the same shape.
        energy: maps states `[..., state]` to an energy `[...]` that f keeps; None where it keeps none.

    Attributes:
        evaluations: how often the field, the energy or its gradient was asked for; a call for a batch counts once.
    """

    def __init__(self, vector_field: Function, energy: Function | None = None):
        self._vector_field, self._energy = vector_field, energy
        self.evaluations = 0

    def vector_field(self, x: Tensor) -> Tensor:
        """dx/dt, `[..., state]`."""
        self.evaluations += 1
        return self._vector_field(x)

    def energy(self, x: Tensor) -> Tensor:
        """The energy, `[...]`.

        Raises:
            TypeError: the flow keeps none.
        """
        self.evaluations += 1
        return self._known_energy(x)

    def energy_gradient(self, x: Tensor) -> Tensor:
        """dE/dx, `[..., state]`, cut off from any graph.

        Raises:
            TypeError: the flow keeps no energy.
        """
        self.evaluations += 1
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self._known_energy(x).sum(), x)
        return gradient

    def _known_energy(self, x: Tensor) -> Tensor:
        if self._energy is None:
            raise TypeError("this integrator needs an energy and the flow keeps none; use integrator=rk4")
        return self._energy(x)
