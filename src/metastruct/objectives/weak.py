"""The weak form: no derivative of the data, for integration by parts puts it onto a test function.

    0 = int phi f(x; z) dt + int phi' x dt  ~  Phi f(x~; z) + Phi' x

for phi that vanish with their slopes at both ends of their support. x~ are smoothed states, for f at noisy ones is off by
sigma^2 f''/2. Errors of the states enter linearly, through S = Phi' + Phi Df, so the residual has the covariance
S Sigma S^T + M, M that of a misfit of the model, and is divided by the root of it. Df is that at some codes, and is renewed
as they move (iteratively reweighted least squares).

Wide test functions average noise, narrow ones see the bend of a trajectory. The half width is that of the most information
about a field over the training data,  retained(m) / m / (variance of the noise(m) + misfit^2),  each relative to the spread
of dx/dt, summed over components.

Sources: Messenger and Bortz 2021 (WSINDy); Bortz, Messenger and Dukic 2023 (WENDy).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from metastruct.objectives.objective import Objective
from metastruct.objectives.test_functions import weights
from metastruct.objectives.width import half_width

if TYPE_CHECKING:
    from metastruct.data.observations import Observations, Recordings
    from metastruct.dynamics.model import ModulatedModel

NODES = 6  # points in half a test function at which the field is asked; the data are averaged over all samples
TESTS = 12  # half widths of a window, at most
ROUND_OFF = 1e-9  # share of the variances that keeps the covariance of overlapping test functions from being singular


class Weak(Objective):
    """r = C^(-1/2) (Phi f(x~; z) + Phi' x), C the covariance of what stands in brackets; for measured states.

    A training asks for one test function at a time, divided by its standard deviation without Df. An adaptation looks at
    windows of many, half a half width apart, and at all of their covariance.

    Args:
        half_width: of a test function, in samples; None: chosen by the data.
        order: p, at least 3.
        misfit: the least one of the model, as a share of the spread of dx/dt; what training leaves is added.
    """

    reads = ("states", "smooth", "noise", "times", "inputs")
    requires = ("states", "times")

    def __init__(self, half_width: int | None, order: int, misfit: float):
        self.chosen, self.order, self.least_misfit = half_width, order, misfit
        self.misfit: Tensor | None = None  # variance of what no code explained, relative to that of dx/dt, [state]
        self._shape(half_width or NODES, 2 * (half_width or NODES) + 1)

    def _shape(self, half: int, longest: int) -> None:
        """Test functions of this half width, as many as a window of the longest trajectory has, up to a bound."""
        self.half, self.every = half, max(1, half // NODES)
        self.stride = self.every * max(1, half // (2 * self.every))
        room = min(longest, (TESTS + 2) * half + 1) - self.support
        self.tests = 1 + max(0, room // self.stride)
        self.least = self.support
        self.window = self.support + (self.tests - 1) * self.stride

    @property
    def support(self) -> int:
        """Samples of a test function."""
        return 2 * self.half + 1

    @property
    def numbers(self) -> Mapping[str, float]:  # type: ignore[override]
        return {"half_width": self.half, "window": self.window}

    def settled(self, recordings: Recordings) -> Weak:
        objective = copy.copy(self)
        longest = max(max(lengths) for lengths in recordings.lengths)
        half = self.chosen or half_width(recordings, self.order, self.least_misfit)
        half = max(1, min(half, (longest - 1) // 2))
        every = max(1, half // NODES)
        objective._shape(half // every * every, longest)
        return objective

    def in_training(self) -> Weak:
        objective = copy.copy(self)
        objective._shape(self.half, self.support)
        objective.least = None
        return objective

    def learned(self, numbers: Mapping[str, float], noise: Tensor | None) -> Weak:
        objective = copy.copy(self)
        if numbers:
            objective._shape(int(numbers["half_width"]), int(numbers["window"]))
        objective.misfit = noise
        return objective

    def described(self) -> str:
        return f"test functions of {self.support} samples, in windows of {self.window}"

    def rows(self, state_dim: int) -> int:
        return self.tests * state_dim

    def field_noise(self, noise: Tensor, state_dim: int) -> Tensor:
        return noise

    def likelihood(self, noise: Tensor) -> Tensor:
        return torch.ones_like(noise)

    # The residual

    def places(self, observations: Observations) -> Observations:
        nodes, parts = slice(None, None, self.every), {}
        for name in ("smooth", "inputs"):
            values = getattr(observations, name)
            if values is not None:
                parts[name] = values.unflatten(-2, (-1, self.window))[..., nodes, :].flatten(-3, -2)
        return type(observations)(states=parts["smooth"], inputs=parts.get("inputs"))

    def residual(self, model: ModulatedModel, observations: Observations, codes: Tensor | None) -> Tensor:
        places = self.places(observations)
        return self.combined(model, observations, model.vector_field(places.states, codes, places.inputs))

    def combined(self, model: ModulatedModel, observations: Observations, field: Tensor) -> Tensor:
        values, slopes = self._weights(observations)
        residual, misfit = self._residual(values, slopes, observations, field), self._misfit(model)
        valid = None if observations.mask is None else self._windows(observations.mask[..., None])[..., 0]
        if valid is not None:  # a test function needs the samples up to the end of its support
            valid = valid[..., self.support - 1 :: self.stride]
            residual = residual * valid[..., None]
        if observations.slopes is None:
            variance = slopes.square() @ self._windows(_there(observations.noise)).square()
            return (residual / (variance + values.sum(-1, keepdim=True).square() * misfit).sqrt()).flatten(-3)
        covariance = self._noise(values, slopes, observations)
        mass, overlap = values.sum(-1), values @ values.mT
        norm = overlap.diagonal(dim1=-2, dim2=-1).sqrt().clamp_min(torch.finfo(field.dtype).tiny)
        alike = overlap / norm[..., None] / norm[..., None, :] * mass[..., None] * mass[..., None, :]
        covariance = covariance + torch.einsum("...st,c->...sct", alike, misfit)[..., None] * torch.eye(
            len(misfit), dtype=field.dtype, device=field.device
        )[:, None, :]
        covariance = covariance.flatten(-4, -3).flatten(-2)
        if valid is not None:
            apart = valid.repeat_interleave(len(misfit), -1)
            covariance = torch.where(apart[..., None] & apart[..., None, :], covariance, 0.0)
            covariance = covariance + torch.diag_embed((~apart).to(field.dtype))
        diagonal = covariance.diagonal(dim1=-2, dim2=-1)
        factor, _ = torch.linalg.cholesky_ex(covariance + torch.diag_embed(ROUND_OFF * diagonal))
        white = torch.linalg.solve_triangular(factor, residual.flatten(-2)[..., None], upper=False)
        return white[..., 0].flatten(-2)

    def unexplained(self, model: ModulatedModel, observations: Observations, codes: Tensor) -> Tensor:
        """What is left of the squares without the noise, relative to the spread of dx/dt; it may be below zero."""
        seen, places = self.renewed(model, observations, codes), self.places(observations)
        values, slopes = self._weights(seen)
        field = model.vector_field(places.states, codes, places.inputs)
        squares = self._residual(values, slopes, seen, field).double().square()
        noise = self._noise(values, slopes, seen).diagonal(dim1=-4, dim2=-2).diagonal(dim1=-3, dim2=-2)
        scale = values.sum(-1, keepdim=True).square() * model.dynamics.derivative_std.square()
        return ((squares - noise) / scale).flatten(-3)

    @torch.no_grad()
    def renewed(self, model: ModulatedModel, observations: Observations, codes: Tensor) -> Observations:
        places = self.places(observations)

        def field(x: Tensor) -> Tensor:
            return model.vector_field(x, codes, places.inputs)

        ones = torch.eye(places.states.shape[-1], dtype=places.states.dtype, device=places.states.device)
        columns = [torch.func.jvp(field, (places.states,), (one.expand_as(places.states),))[1] for one in ones]
        at_nodes = self._windows(torch.stack(columns, -1).flatten(-2), self.nodes)
        return replace(observations, slopes=self._spread(at_nodes).flatten(-3, -2))

    # Its parts, [..., windows, samples or tests, ...]

    @property
    def nodes(self) -> int:
        return (self.window - 1) // self.every + 1

    def _windows(self, values: Tensor, length: int | None = None) -> Tensor:
        return values.unflatten(-2, (-1, length or self.window))

    def _weights(self, observations: Observations) -> tuple[Tensor, Tensor]:
        """Phi at the nodes, Phi' at all samples."""
        times = self._windows(_there(observations.times))[..., 0]
        times = times - times[..., :1]
        begin, end = (times[..., k :: self.stride][..., : self.tests] for k in (0, self.support - 1))
        _, slopes = weights(times, begin, end, self.order)
        values, _ = weights(times[..., :: self.every], begin, end, self.order)
        return values, slopes

    def _residual(self, values: Tensor, slopes: Tensor, observations: Observations, field: Tensor) -> Tensor:
        states = self._windows(observations.states)
        return values @ self._windows(field, self.nodes) + slopes @ (states - states[..., :1, :])  # round-off

    def _misfit(self, model: ModulatedModel) -> Tensor:
        """Variance of the error of the field that is expected of the model, `[state]`."""
        share = self.least_misfit**2 if self.misfit is None else self.least_misfit**2 + self.misfit
        return share * model.dynamics.derivative_std.square()

    def _noise(self, values: Tensor, slopes: Tensor, observations: Observations) -> Tensor:
        """S Sigma S^T `[..., windows, tests, state, tests, state]`."""
        sigma, df = (self._windows(_there(part)) for part in (observations.noise, observations.slopes))
        size = sigma.shape[-1]
        identity = torch.eye(size, dtype=df.dtype, device=df.device)
        share = self._spread(values.mT).mT[..., None, None] * df.unflatten(-1, (size, size))[..., None, :, :, :]
        root = (slopes[..., None, None] * identity + share) * sigma[..., None, :, None, :]
        rows = root.movedim(-2, -3).flatten(-2).flatten(-3, -2)
        return (rows @ rows.mT).unflatten(-1, (-1, size)).unflatten(-3, (-1, size))

    def _spread(self, at_nodes: Tensor) -> Tensor:
        """Values at the nodes `[..., nodes, n]` shared out among the samples, along straight lines."""
        if self.every == 1:
            return at_nodes
        place = torch.arange(self.window, dtype=at_nodes.dtype, device=at_nodes.device) / self.every
        number = torch.arange(self.nodes, dtype=at_nodes.dtype, device=at_nodes.device)
        return (1 - (place[:, None] - number).abs()).clamp_min(0) @ at_nodes


def _there(part: Tensor | None) -> Tensor:
    assert part is not None
    return part
