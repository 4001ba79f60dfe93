"""Derivative matching: no integration in training, but somebody has to know dx/dt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from metastruct.objectives.objective import Objective

if TYPE_CHECKING:
    from metastruct.data.observations import Observations
    from metastruct.dynamics.model import ModulatedModel


class Derivatives(Objective):
    """r_i = (f(x_i; z) - dx_i/dt) / s, with s the spread of each component of dx/dt over the training data.

    For simulated members, whose derivatives follow exactly from the law (METHOD section 2).
    """

    reads = ("states", "inputs", "derivatives")
    requires = ("states", "derivatives")

    def residual(self, model: ModulatedModel, observations: Observations, codes: Tensor | None) -> Tensor:
        assert observations.derivatives is not None
        field = model.vector_field(observations.states, codes, observations.inputs)
        residual = (field - observations.derivatives) / model.dynamics.derivative_std
        if observations.mask is not None:
            residual = residual * observations.mask[..., None]
        return residual.flatten(-2)

    def field_noise(self, noise: Tensor, state_dim: int) -> Tensor:
        return noise
