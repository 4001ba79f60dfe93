"""What an integrator may ask of a dynamics: its vector field, and its energy with what changes it, if there is one.

A field that is driven by inputs u(t) depends on time; an integrator only says at which share of its step it looks, the
abscissa c of the stage, and that costs nothing where there are no inputs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor

from metastruct.integrators.signal import Signal

Function = Callable[[Tensor], Tensor]


class Flow:
    """dx/dt = f(x), or f(x, u(t)), with what f conserves.

    Args:
        vector_field: maps states `[..., state]`, and inputs `[..., input]` where there are any, to dx/dt of the same
            shape as the states.
        energy: maps states `[..., state]` to an energy `[...]`; None where there is none.
        inputs: u(t); None where nothing drives the flow.
        time_scale: the time in which the steps of integrators are counted.
        power: dE/dt along f, of the same arguments as f; None where f keeps its energy.
    """

    def __init__(
        self,
        vector_field: Callable[..., Tensor],
        energy: Function | None = None,
        inputs: Signal | None = None,
        time_scale: float = 1.0,
        power: Callable[..., Tensor] | None = None,
    ):
        self.time_scale, self._power = time_scale, power
        self._vector_field, self._energy, self.inputs = vector_field, energy, inputs
        self._evaluations = [0]  # one count for a flow and its steps
        self._step: tuple[Tensor, Tensor] | None = None

    @property
    def evaluations(self) -> int:
        """How often the field, the energy or its gradient was asked for; a call for a batch counts once."""
        return self._evaluations[0]

    def during(self, begin: Tensor, length: Tensor) -> Flow:
        """The flow for a step of an integrator from the time `begin` over `length`, as of `Signal.at`."""
        if self.inputs is None:
            return self
        flow = copy.copy(self)
        flow._step = begin, length
        return flow

    def vector_field(self, x: Tensor, stage: float = 0.0) -> Tensor:
        """dx/dt, `[..., state]`, at a share of the step.

        Raises:
            TypeError: the flow is driven, and nobody said which step it is.
        """
        self._evaluations[0] += 1
        return self._asked(self._vector_field, x, stage)

    def _asked(self, function: Callable[..., Tensor], x: Tensor, stage: float) -> Tensor:
        if self.inputs is None:
            return function(x)
        if self._step is None:
            raise TypeError("a driven flow needs the time of the step; ask flow.during(begin, length)")
        return function(x, self.inputs.at(*self._step, stage))

    @property
    def keeps_energy(self) -> bool:
        """Does nothing change it?"""
        return self._power is None

    def power(self, x: Tensor, stage: float = 0.0) -> Tensor:
        """dE/dt `[...]` at a share of the step, where the energy is not kept; errors as of `vector_field`."""
        assert self._power is not None
        self._evaluations[0] += 1
        return self._asked(self._power, x, stage)

    def energy(self, x: Tensor) -> Tensor:
        """The energy, `[...]`.

        Raises:
            TypeError: the flow has none.
        """
        self._evaluations[0] += 1
        return self._known_energy(x)

    def energy_gradient(self, x: Tensor) -> Tensor:
        """dE/dx, `[..., state]`, cut off from any graph.

        Raises:
            TypeError: the flow has no energy.
        """
        self._evaluations[0] += 1
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self._known_energy(x).sum(), x)
        return gradient

    def _known_energy(self, x: Tensor) -> Tensor:
        if self._energy is None:
            raise TypeError("this integrator needs an energy and the flow has none; use another integrator")
        return self._energy(x)
