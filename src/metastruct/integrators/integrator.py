"""One-step schemes for dx/dt = f(x), or f(x, u(t)), batched over whatever stands before the state axis."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod

from torch import Tensor

from metastruct.integrators.flow import Flow

MOST_STEPS = 1_000_000  # of a rollout, which take minutes


class Integrator(ABC):
    """A scheme x -> x + h phi(x, h).

    Args:
        step_size: longest step, in units of the flow's time scale, which is one where a law gives the units; the time
            between two outputs is divided into equal steps no longer than it.
    """

    order: int  # the global error falls as h^order

    def __init__(self, step_size: float):
        if not step_size > 0:
            raise ValueError(f"integrator.step_size must be above 0, got {step_size}")
        self.step_size = step_size

    def steps(self, length: float) -> int:
        """How many steps a time is divided into."""
        return math.ceil(length / self.step_size * (1 - 1e-12))

    def finer(self) -> Integrator:
        """The same scheme at half the step, to see how much of an error is the integrator's."""
        fine = copy.copy(self)
        fine.step_size = self.step_size / 2
        return fine

    @abstractmethod
    def step(self, flow: Flow, x: Tensor, h: Tensor) -> Tensor:
        """The state one step h later; x `[..., state]`, h one number or `[..., 1]`, a step for each trajectory.

        `flow.vector_field(y, c)` is asked at the abscissa c of each stage, which matters where the flow is driven.
        """


def duration(h: Tensor) -> Tensor:
    """A step as it multiplies one number of each trajectory: one number, or `[...]` of `[..., 1]`."""
    return h[..., 0] if h.dim() else h
