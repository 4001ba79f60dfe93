"""Where members move and what drives them: a user's arrays become tensors of the shapes that fields take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from metastruct.data.outside import Array, Inputs, instants_of, states_of
from metastruct.dynamics.dynamics import Dynamics
from metastruct.integrators.signal import Signal


@dataclass(frozen=True)
class Space:
    """The states and inputs of one member; every method raises a ValueError where an array is none of them.

    Args:
        state_dim, input_dim: numbers of a state and of an input; no inputs where nothing drives the members.
    """

    state_dim: int
    input_dim: int

    @classmethod
    def of(cls, dynamics: Dynamics) -> Space:
        """That of a dynamics."""
        return cls(len(dynamics.state_mean), len(getattr(dynamics, "input_mean", ())))

    def points(self, x: ArrayLike, name: str = "x") -> tuple[Tensor, tuple[int, ...]]:
        """States `[..., state]` as points `[1, points, state]`, and the shape that they had."""
        array = states_of(x, name, self.state_dim)
        return torch.from_numpy(np.ascontiguousarray(array).reshape(1, -1, self.state_dim)), array.shape

    def pairs(self, x: ArrayLike, y: ArrayLike) -> tuple[Tensor, Tensor, tuple[int, ...]]:
        """The points of x and y `[..., state]`, which broadcast, and the shape of both."""
        ends = np.broadcast_arrays(states_of(x, "x", self.state_dim), states_of(y, "y", self.state_dim))
        (first, shape), (second, _) = self.points(ends[0]), self.points(ends[1], "y")
        return first, second, shape

    def errors(self, values: Any, name: str) -> Tensor:
        """Standard deviations `[state]`."""
        deviations = torch.from_numpy(np.ascontiguousarray(states_of(values, name, self.state_dim)))
        if deviations.dim() != 1 or (deviations < 0).any():
            raise ValueError(f"{name} must be {self.state_dim} numbers of at least 0, got {values}")
        return deviations

    def driving(self, inputs: ArrayLike | None, *instants: int) -> Tensor | None:
        """Inputs `[input]`, or one row an instant; None where nothing drives the member."""
        if inputs is None or not self.input_dim:
            if self.input_dim or inputs is not None:
                amount = "some" if not self.input_dim else "none"
                raise ValueError(f"this member is driven by {self.input_dim} inputs, got {amount}")
            return None
        values = states_of(inputs, "inputs", self.input_dim)
        if values.shape != (*instants, self.input_dim):
            raise ValueError(f"inputs must have the shape {[*instants, self.input_dim]}, got {list(values.shape)}")
        return torch.from_numpy(np.ascontiguousarray(values))

    def signal(self, inputs: Inputs | None, times: Array, held: bool) -> Signal | None:
        """u(t), at these times `[times]` unless it has instants of its own."""
        instants, values = (instants_of(inputs[0]), inputs[1]) if isinstance(inputs, tuple) else (times, inputs)
        driving = self.driving(values, len(instants))
        return None if driving is None else Signal(torch.from_numpy(instants), driving, held)
