"""Where members move and what drives them: a user's arrays become tensors of the shapes that fields take."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from metastruct.data.outside import Array, Inputs, instants_of, shortly, states_of
from metastruct.dynamics.dynamics import Dynamics
from metastruct.integrators.signal import Signal

LARGE = 5.0  # times the inputs of the training, from which a forecast is an extrapolation
FAR = 10.0  # spreads of the states of the training, from which it says nothing of a start
MANY = 10  # instants that have a spacing of their own


@dataclass(frozen=True)
class Space:
    """The states and inputs of one member; every method raises a ValueError where an array is none of them.

    Args:
        state_dim, input_dim: numbers of a state and of an input; no inputs where nothing drives the members.
        held: did inputs stay as they were from one instant to the next in the training?
        usual: root mean square of each input of the training.
        centre, spread: of each component of its states; of angles the spread is infinite, for turns change nothing.
    """

    state_dim: int
    input_dim: int
    held: bool = False
    usual: tuple[float, ...] = ()
    centre: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()

    @classmethod
    def of(cls, dynamics: Dynamics, held: bool = False) -> Space:
        """That of a dynamics."""
        scales = dynamics.scales
        spread = scales.state_std.clone()
        spread[list(dynamics.turning)] = torch.inf
        usual = torch.empty(0)
        if scales.input_mean is not None and scales.input_std is not None:
            usual = (scales.input_mean.square() + scales.input_std.square()).sqrt()
        places = (tuple(part.tolist()) for part in (usual, scales.state_mean, spread))
        return cls(len(spread), len(usual), held, *places)

    def points(self, x: ArrayLike, name: str = "x") -> tuple[Tensor, tuple[int, ...]]:
        """States `[..., state]` as points `[1, points, state]`, and the shape that they had."""
        array = states_of(x, name, self.state_dim)
        return torch.from_numpy(np.ascontiguousarray(array).reshape(1, -1, self.state_dim)), array.shape

    def starts(self, x0: ArrayLike) -> tuple[Tensor, tuple[int, ...]]:
        """States `[..., state]` as of `points`, with a warning where no training was near."""
        points, shape = self.points(x0, "x0")
        away = (points[0].numpy() - self.centre) / self.spread if self.spread else np.zeros((1, 1))
        if (far := np.abs(away).max(initial=0.0)) > FAR:
            warnings.warn(
                f"x0 is {far:.3g} spreads of the training's states away from them; give it in their units, or this is "
                "a guess",
                stacklevel=4,
            )
        return points, shape

    def pairs(self, x: ArrayLike, y: ArrayLike) -> tuple[Tensor, Tensor, tuple[int, ...]]:
        """The points of x and y `[..., state]`, which broadcast, and the shape of both."""
        ends = np.broadcast_arrays(states_of(x, "x", self.state_dim), states_of(y, "y", self.state_dim))
        (first, shape), (second, _) = self.points(ends[0]), self.points(ends[1], "y")
        return first, second, shape

    def errors(self, values: Any, name: str) -> Tensor:
        """Standard deviations `[state]`."""
        deviations = torch.from_numpy(np.ascontiguousarray(states_of(values, name, self.state_dim)))
        if deviations.dim() != 1 or (deviations < 0).any():
            raise ValueError(f"{name} must be {self.state_dim} numbers of at least 0, got {shortly(values)}")
        return deviations

    def driving(self, inputs: ArrayLike | None, *instants: int, members: int | None = None) -> Tensor | None:
        """Inputs `[input]`, or one row an instant; None where nothing drives the member.

        Args:
            members: how many may have inputs of their own, then in front; what is the same for all gets an axis of one.
        """
        if inputs is None or not self.input_dim:
            if self.input_dim or inputs is not None:
                amount = "some" if not self.input_dim else "none"
                raise ValueError(f"this member is driven by {self.input_dim} inputs, got {amount}")
            return None
        values, shape = states_of(inputs, "inputs", self.input_dim), (*instants, self.input_dim)
        if members is not None and values.shape == shape:
            values = values[None]
        if values.shape not in (shape, (1, *shape), (members, *shape))[members is not None :]:
            several = "" if members is None else f" or {[members, *shape]}"
            raise ValueError(f"inputs must have the shape {[*shape]}{several}, got {list(values.shape)}")
        return torch.from_numpy(np.ascontiguousarray(values))

    def beside(self, inputs: ArrayLike | None, shape: tuple[int, ...]) -> Tensor | None:
        """Inputs `[input]`, or some of their own at states of this shape `[..., state]`, `[1, points, input]`."""
        if inputs is None or not self.input_dim or np.ndim(inputs) < 2:
            return self.driving(inputs)
        values = states_of(inputs, "inputs", self.input_dim)
        expected = (*shape[:-1], self.input_dim)
        if values.shape != expected:
            raise ValueError(f"inputs must have the shape [{self.input_dim}] or {[*expected]}, got {[*values.shape]}")
        return torch.from_numpy(np.ascontiguousarray(values)).reshape(1, -1, self.input_dim)

    def signal(
        self, inputs: Inputs | None, times: Array, held: bool | None, members: int | None = None
    ) -> Signal | None:
        """u(t), at these times `[times]` unless it has instants of its own; `members` as of `driving`.

        What makes no sense of it, such as instants before or after all times, is an error, what is strange a warning.
        """
        if not (held is None or isinstance(held, bool | np.bool)):
            raise ValueError(f"held must be True, False or None, got {shortly(held)}")
        if isinstance(inputs, tuple) and len(inputs) != 2:
            raise ValueError(f"inputs must be numbers at the times, or a pair (t, u), got a tuple of {len(inputs)}")
        instants, values = (instants_of(inputs[0]), inputs[1]) if isinstance(inputs, tuple) else (times, inputs)
        driving = self.driving(values, len(instants), members=members)
        if driving is None:
            if held is not None:
                raise ValueError("held says how inputs go on between their instants, and this member has none")
            return None
        for doubt in (*_reach(instants, times), *self._size(driving.numpy())):
            warnings.warn(doubt, stacklevel=4)
        return Signal(torch.from_numpy(instants), driving, self.held if held is None else held)

    def _size(self, values: Array) -> Iterator[str]:
        """A line where inputs `[..., input]` are much larger than any training knew."""
        size = np.sqrt(np.square(values).reshape(-1, self.input_dim).mean(0))
        with np.errstate(divide="ignore", invalid="ignore"):
            times = np.nan_to_num(size / np.array(self.usual), posinf=np.inf).max()
        if times > LARGE:
            yield f"the inputs are {times:.3g} times those of the training; give them in its units, or this is a guess"


def _reach(instants: Array, times: Array) -> Iterator[str]:
    """Lines on inputs, known at their instants, that hardly say anything of the times.

    Raises:
        ValueError: they say nothing.
    """
    if len(instants) < 2:
        return
    first, last = instants[0], instants[-1]
    if first > times[-1] or last < times[0]:
        raise ValueError(
            f"inputs must be known at some of the times, {times[0]:g} to {times[-1]:g}, got instants from {first:g} to "
            f"{last:g}; give both in one unit from one zero"
        )
    inside = int(((instants >= times[0]) & (instants <= times[-1])).sum())
    if inside < 2 and len(instants) >= MANY and len(times) >= MANY:
        yield (
            f"of the {len(instants)} instants of the inputs, {first:g} to {last:g}, only {inside} lies in the times, "
            f"{times[0]:g} to {times[-1]:g}; give both in one unit"
        )
    if times[-1] > last + np.diff(instants).max():
        yield f"the inputs end at t = {last:g} and stay as they are until {times[-1]:g}; give those that come after"
    if times[0] < first - np.diff(instants).max():
        yield f"the inputs begin at t = {first:g} and are taken for those from {times[0]:g} on; give what was before"
