"""Constants of the training data that a dynamics standardises by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from metastruct.data.trajectory import Array
from metastruct.data.units import Units


@dataclass(frozen=True)
class Scales:
    """Constants of the training data, each `[state]`: mean and spread of states, spread and mean of derivatives.

    Where inputs drive the members, also their mean and spread, each `[input]`. `time` is the unit of the steps of
    integrators, in the time of the data. The mean derivative, the drift, and the
    matrix of the linear law nearest to the data, `[state, state]`, only say where a training starts; a model that is
    loaded needs none. `units` are those of a training that has its own; None where they are those of the data.
    """

    state_mean: Tensor
    state_std: Tensor
    derivative_std: Tensor
    drift: Tensor | None = None
    linear: Tensor | None = None
    input_mean: Tensor | None = None
    input_std: Tensor | None = None
    time: float = 1.0
    units: Units | None = None

    @property
    def inputs(self) -> int:
        """How many drive the members."""
        return 0 if self.input_mean is None else len(self.input_mean)

    def outside(self, units: Units) -> Scales:
        """The same constants in the units of the data, in float64, for a model that was trained in units of its own."""

        def moved(mean: Tensor, std: Tensor, centre: Array | None, spread: Array | None) -> tuple[Tensor, Tensor]:
            unit = torch.as_tensor(spread, dtype=torch.float64)
            return torch.as_tensor(centre, dtype=torch.float64) + unit * mean, unit * std

        mean, std = moved(self.state_mean, self.state_std, units.centre, units.spread)
        slope = torch.as_tensor(units.spread, dtype=torch.float64) / units.time * self.derivative_std
        scales = Scales(mean, std, slope, time=units.time)
        if self.input_mean is None or self.input_std is None:
            return scales
        driving = moved(self.input_mean, self.input_std, units.input_centre, units.input_spread)
        return replace(scales, input_mean=driving[0], input_std=driving[1])

    def shared(self, groups: Sequence[Sequence[int]]) -> Scales:
        """The same constants with one unit for all components of a group, whose origin is that of the data."""
        mean, state, slope = (each.clone() for each in (self.state_mean, self.state_std, self.derivative_std))
        for group in map(list, groups):
            state[group] = (state[group].square() + mean[group].square()).mean().sqrt()
            slope[group], mean[group] = slope[group].square().mean().sqrt(), 0.0
        return replace(self, state_mean=mean, state_std=state, derivative_std=slope)

    @classmethod
    def of(cls, states: Tensor, derivatives: Tensor, inputs: Tensor | None = None) -> Scales:
        """From states and derivatives `[..., state]`, and inputs `[..., input]`; what never moves has the scale one."""

        def std(values: Tensor) -> Tensor:
            spread = values.flatten(0, -2).std(0)
            return torch.where(spread > 0, spread, torch.ones_like(spread))

        centre, drift = (values.flatten(0, -2).mean(0) for values in (states, derivatives))
        x, dxdt = (states - centre).flatten(0, -2), (derivatives - drift).flatten(0, -2)
        linear = dxdt.mT @ x @ torch.linalg.pinv(x.mT @ x, hermitian=True)
        driving = () if inputs is None else (inputs.flatten(0, -2).mean(0), std(inputs))
        return cls(centre, std(states), std(derivatives), drift, linear, *driving)
