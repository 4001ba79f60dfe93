"""Derivative matching: no integration in training, but somebody has to know dx/dt.

States x~ = x + e and derivatives y = f(x) + d are seen with errors of variances S and D. The states themselves are
unknown then, so the field is asked at estimates x^ of them and goes on along straight lines to what was seen,

    r = s L^-1 (f(x^; z) + F (x~ - x^) - b - y),   L L^T = F S F^T + D + s^2,   F = df/dx at x^,
    x^ = x~ - S F^T (L L^T)^-1 (f(x^) + F (x~ - x^) - b - y),   b = tr(P d^2 f)/2,   P the covariance of x^.

A fit that is renewed until x^ and z stay is that of all errors by least squares: with f at x~ itself codes are drawn
towards fields that are too flat. b is what the bend of f adds on average. Without errors r is the plain residual.

Sources: Fuller (1987), Measurement error models; Britt and Luecke (1973), on the renewal of x^.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from metastruct.objectives.objective import Objective

if TYPE_CHECKING:
    from metastruct.data.observations import Observations
    from metastruct.data.recordings import Recordings
    from metastruct.dynamics.model import ModulatedModel

LEAST = torch.finfo(torch.float32).eps ** 2  # of a misfit's variance


class Derivatives(Objective):
    """r_i = (f(x_i; z) - dx_i/dt) / s, with s the spread of each component of dx/dt over the training data.

    For simulated members, whose derivatives follow exactly from the law, and for measured ones whose derivatives are
    measured (docs/method.md, section 3). A training asks for the field at smoothed states, an adaptation as above.
    """

    reads = ("states", "inputs", "derivatives", "noise", "derivative_noise")
    requires = ("states", "derivatives")

    def __init__(self) -> None:
        self.misfit: Tensor | None = None  # variance of what no code explained, relative to that of dx/dt, [state]
        self.numbers: Mapping[str, float] = {}  # noise of the training members, where there was some

    def settled(self, recordings: Recordings) -> Derivatives:
        objective = copy.copy(self)
        if objective.noisy(recordings):
            levels = {"noise": recordings.noise, "derivative_noise": recordings.derivative_noise}
            objective.numbers = {
                f"{name}_{k}": float((level[:, k] ** 2).mean() ** 0.5)
                for name, level in levels.items()
                for k in range(level.shape[1])
            }
        return objective

    def laid(self, recordings: Recordings) -> tuple[dict[str, Tensor], Tensor, np.ndarray]:
        parts = recordings.read(("states", "inputs", "derivatives"))
        if self.noisy(recordings):
            parts |= {"states": recordings.read(("smooth",))["smooth"]}
        return parts, *recordings.windows(self.window)

    def noisy(self, recordings: Recordings) -> bool:
        every = [one for member in recordings.members for one in member.trajectories]
        if any(one.noise is None for one in every):  # estimates would smooth exact states that are seen rarely
            return False
        return bool(recordings.noise.any() or recordings.derivative_noise.any())

    def level(self, name: str, state_dim: int) -> np.ndarray:
        return np.array([self.numbers.get(f"{name}_{k}", 0.0) for k in range(state_dim)])

    def learned(self, numbers: Mapping[str, float], noise: Tensor | None) -> Derivatives:
        objective = copy.copy(self)
        objective.misfit, objective.numbers = noise, numbers
        return objective

    def residual(self, model: ModulatedModel, observations: Observations, codes: Tensor | None) -> Tensor:
        assert observations.derivatives is not None
        if observations.operator is None:
            field = model.vector_field(observations.states, codes, observations.inputs)
            residual = (field - observations.derivatives) / model.dynamics.derivative_std
        else:
            assert observations.smooth is not None
            field = model.vector_field(observations.smooth, codes, observations.inputs)
            operator = observations.operator.unflatten(-1, (-1, field.shape[-1] + 2))
            residual = (operator[..., :-2] @ field[..., None])[..., 0] + operator[..., -2]
        if observations.mask is not None:
            residual = residual * observations.mask[..., None]
        return residual.flatten(-2)

    def still(self, model: ModulatedModel) -> int:
        return model.dynamics.kinematic

    def field_noise(self, noise: Tensor, state_dim: int) -> Tensor:
        return noise

    def noise_share(self, observations: Observations, residual: Tensor) -> Tensor:
        if observations.operator is None:
            return super().noise_share(observations, residual)
        diagonal: Tensor = observations.operator.unflatten(-1, (observations.states.shape[-1], -1))[..., -1].flatten(-2)
        return diagonal

    @torch.no_grad()
    def renewed(self, model: ModulatedModel, observations: Observations, codes: Tensor | None) -> Observations:
        noise, errors = observations.noise, observations.derivative_noise
        if self.misfit is None or noise is None or errors is None or not (noise.any() or errors.any()):
            return observations
        assert observations.derivatives is not None
        states = observations.states if observations.smooth is None else observations.smooth
        field, slope = _with_slope(model, states, codes, observations.inputs)
        misfit = self.misfit.clamp_min(LEAST) * model.dynamics.derivative_std.square()
        slanted = slope * noise[..., None, :].square()  # F S
        covariance = slanted @ slope.mT + torch.diag_embed(errors.square() + misfit)
        spread = torch.diag_embed(noise.square())  # P of x~ itself
        if observations.smooth is not None:
            gain = torch.cholesky_solve(slanted, torch.linalg.cholesky(covariance)).mT  # S F^T (L L^T)^-1
            spread = spread - gain @ slanted
            offset = (slope @ (observations.states - states)[..., None])[..., 0]
            offset = offset - _bend(model, states, codes, observations.inputs, field, spread)
            gap = field + offset - observations.derivatives
            states = observations.states - (gain @ gap[..., None])[..., 0]
            field, slope = _with_slope(model, states, codes, observations.inputs)
            slanted = slope * noise[..., None, :].square()
            covariance = slanted @ slope.mT + torch.diag_embed(errors.square() + misfit)
        offset = (slope @ (observations.states - states)[..., None])[..., 0] - observations.derivatives
        offset = offset - _bend(model, states, codes, observations.inputs, field, spread)
        root = misfit.sqrt()
        of_noise, axes = torch.linalg.eigh((covariance - torch.diag_embed(misfit)) / root / root[:, None])
        of_noise = of_noise.clamp_min(0.0)
        # Symmetric: in the components of the state, so that neighbours along a trajectory can be compared.
        whitening = ((of_noise + 1).rsqrt()[..., None, :] * axes) @ axes.mT / root
        whitening = self.misfit.clamp_min(LEAST).sqrt()[:, None] * whitening
        share = (axes.square() @ (of_noise / (of_noise + 1))[..., None])[..., 0]
        operator = torch.cat([whitening, whitening @ offset[..., None], share[..., None]], -1)
        return replace(observations, smooth=states, operator=operator.flatten(-2))


def _with_slope(
    model: ModulatedModel, states: Tensor, codes: Tensor | None, inputs: Tensor | None
) -> tuple[Tensor, Tensor]:
    """f `[..., state]` and df/dx `[..., state, state]`."""
    with torch.enable_grad():
        states = states.detach().requires_grad_()
        field = model.vector_field(states, codes, inputs)
        rows = [torch.autograd.grad(one.sum(), states, retain_graph=True)[0] for one in field.unbind(-1)]
    return field.detach(), torch.stack(rows, -2)


def _bend(
    model: ModulatedModel, states: Tensor, codes: Tensor | None, inputs: Tensor | None, field: Tensor, spread: Tensor
) -> Tensor:
    """tr(P d^2 f)/2 `[..., state]`, by differences along the axes of P."""
    values, vectors = torch.linalg.eigh(spread)
    steps = vectors * values.clamp_min(0).sqrt()[..., None, :]
    total = torch.zeros_like(field)
    for step in steps.unbind(-1):
        ahead, behind = (model.vector_field(states + sign * step, codes, inputs) for sign in (1, -1))
        total = total + (ahead + behind) / 2 - field
    return total
