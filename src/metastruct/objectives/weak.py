"""The weak form: no derivative of the data, for integration by parts puts it onto a test function.

    0 = int phi f(x; z) dt + int phi' x dt  ~  Phi f(x; z) + Phi' x = R

for phi that vanish with their slopes at both ends of their support, at instants whose spacing changes slowly, at which
all trajectories are laid first (`data.steady`). Errors of the states enter through S = Phi' + Phi Df, so R has the
covariance S Sigma S^T + M, M that of a misfit of the model, and is whitened with it (`whitening`). In a training Df is
that of a crude law of each member, in an adaptation that of the model, renewed as the code moves (iteratively
reweighted least squares).

Sources: Messenger and Bortz 2021 (WSINDy); Bortz, Messenger and Dukic 2023 (WENDy).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from metastruct.data.shots import Request
from metastruct.objectives.glimpse import spread_out
from metastruct.objectives.objective import Objective, required
from metastruct.objectives.steps import slope_errors
from metastruct.objectives.test_functions import weights
from metastruct.objectives.whitened import Whitened, applied
from metastruct.objectives.whitening import Windows, inputs_at_nodes
from metastruct.objectives.width import NARROWEST, half_width, slope_noise

if TYPE_CHECKING:
    from metastruct.data.observations import Observations
    from metastruct.data.recordings import Recordings
    from metastruct.dynamics.model import ModulatedModel

NODES = 5  # points in half a test function at which the field is asked; the data are averaged over all samples
LONGEST = 241  # samples of a window, about
LEARNED = 800  # numbers that a training learns from noise, about: measured on pendulums with noise of 1 and 5 %


class Weak(Objective):
    """r = C^(-1/2) (Phi f(x~; z) + Phi' x), C the covariance of what stands in brackets; for measured states.

    Args:
        half_width: of a test function, in samples; None: chosen by the training data.
        order: p of phi = (1 - tau^2)^p, at least 3.
        misfit: the least error of the model, as a share of the spread of dx/dt; what training leaves is added.
    """

    reads = ("states", "smooth", "noise", "times", "inputs")
    requires = ("states", "times")

    def __init__(self, half_width: int | None, order: int, misfit: float):
        self.chosen, self.order, self.least_misfit = half_width, order, misfit
        self.misfit: Tensor | None = None  # variance of what no code explained, relative to that of dx/dt, [state]
        self.held = False  # do inputs stay as they are between instants?
        self._shape(half_width or NODES, 2 * (half_width or NODES) + 1)

    @property
    def request(self) -> Request:
        return replace(super().request, steady=True, held=self.held)

    def _shape(self, half: int, longest: int) -> None:
        """Test functions of this half width, as many as the longest trajectory has, up to a bound."""
        self.half, self.every = half, max(1, half // NODES)
        self.stride = self.every * max(1, half // (2 * self.every))
        self.support = self.least = 2 * half + 1
        room = min(longest, max(LONGEST, self.support)) - self.support
        self.tests = 1 + -(-max(0, room) // self.stride)
        self.window = self.support + (self.tests - 1) * self.stride
        self.nodes = (self.window - 1) // self.every + 1
        self.numbers: Mapping[str, float] = {"half_width": half, "longest": longest}

    def settled(self, recordings: Recordings) -> Weak:
        recordings = recordings.steady
        objective, longest = copy.copy(self), max(max(lengths) for lengths in recordings.lengths)
        half = self.chosen or half_width(recordings, self.order)
        shortest = (min(map(max, recordings.lengths)) - 1) // 2  # a member that is seen so little is refused by name
        if self.chosen is None and shortest >= max(NARROWEST, half // 2):
            half = min(half, shortest)
        half = max(1, min(half, (longest - 1) // 2))
        every = max(1, half // NODES)
        objective._shape(half // every * every, longest)
        objective.held = recordings.held
        if recordings.held:
            objective.numbers = {**objective.numbers, "held": 1}
        objective.numbers = objective.erring(objective._errors(recordings))
        return objective

    def _errors(self, recordings: Recordings) -> Tensor:
        """Variances `[state]` of the field's errors that a training learns from noise, until they are measured."""
        noise = slope_noise(recordings, self.half, self.order)
        lengths = np.concatenate(recordings.lengths)
        tests = 1 + (lengths[lengths >= self.support] - self.support) // self.stride
        return torch.from_numpy(noise * min(1.0, LEARNED / (len(noise) * max(1, tests.sum()))))

    def erring(self, variances: Tensor) -> Mapping[str, float]:
        """With variances `[state]`, as of `Objective`."""
        return {**self.numbers, **{f"error_{k}": float(variance) for k, variance in enumerate(variances)}}

    def field_error(self, state_dim: int) -> Tensor | None:
        errors = [self.numbers.get(f"error_{k}", 0.0) for k in range(state_dim)]
        return torch.tensor(errors, dtype=torch.float64) if any(errors) else None

    def unseen(self, model: ModulatedModel, recordings: Recordings, codes: Tensor) -> Tensor | None:
        return slope_errors(model, recordings, codes)

    def learned(self, numbers: Mapping[str, float], noise: Tensor | None) -> Weak:
        objective = copy.copy(self)
        if numbers:
            objective._shape(int(numbers["half_width"]), int(numbers["longest"]))
            objective.numbers, objective.held = numbers, "held" in numbers
        objective.misfit = noise
        return objective

    def described(self) -> str:
        return (
            f"states alone are learned from: the law is compared with averages over {self.support} instants (weak form)"
        )

    def fitting(self, longest: int) -> Weak:
        """With windows that are no longer than that, where a trajectory is as long as a test function."""
        if longest >= self.window or longest < self.support:
            return self
        objective = copy.copy(self)
        objective._shape(self.half, longest)
        objective.numbers = self.numbers
        return objective

    def glimpse(self, observations: Observations, count: int) -> tuple[Weak, Observations, Tensor]:
        """Single test functions, evenly spaced, which are whitened apart from each other."""
        single = self.fitting(self.support)
        starts = torch.arange(self.tests, device=observations.states.device) * self.stride
        starts = starts[starts + self.support <= self.window]
        windows = observations.states.shape[-2] // self.window
        firsts = (self.window * torch.arange(windows, device=starts.device)[:, None] + starts).flatten()
        whole = torch.ones(len(observations), len(firsts), dtype=torch.bool, device=starts.device)
        if observations.mask is not None:
            whole = observations.mask[:, firsts + self.support - 1]
        few, share = spread_out(replace(observations, operator=None), firsts, whole, self.support, count * self.half)
        return single, few, share

    def in_training(self) -> Whitened:
        return Whitened(self)

    def rows(self, state_dim: int) -> int:
        return self.tests * state_dim

    def field_noise(self, noise: Tensor, state_dim: int) -> Tensor:
        return noise + self.least_misfit**2  # as the residual is whitened

    def likelihood(self, noise: Tensor) -> Tensor:
        return torch.ones_like(noise)

    def noise_share(self, observations: Observations, residual: Tensor) -> Tensor:
        return self._operator(observations)[..., -1, :].sum(-2).flatten(-2)

    def places(self, observations: Observations) -> Observations:
        states = self.windows(required(observations.smooth))[..., :: self.every, :].flatten(-3, -2)
        inputs = observations.inputs
        if inputs is not None:
            inputs = inputs_at_nodes(self.windows(inputs), self.every, self.held).flatten(-3, -2)
        return type(observations)(states=states, inputs=inputs)

    def residual(self, model: ModulatedModel, observations: Observations, codes: Tensor | None) -> Tensor:
        if observations.operator is None:
            observations = self.renewed(model, observations, codes)
        places = self.places(observations)
        return self.combined(model, observations, model.vector_field(places.states, codes, places.inputs))

    def combined(self, model: ModulatedModel, observations: Observations, field: Tensor) -> Tensor:
        operator = self._operator(observations)[..., :-1, :].flatten(-2).flatten(-3, -2)
        mask = None
        if observations.mask is not None:
            mask = self.windows(observations.mask[..., None])[..., :: self.every, 0].flatten(-2)
        return applied(replace(observations, operator=operator, mask=mask), field, self.nodes)

    @torch.no_grad()
    def renewed(self, model: ModulatedModel, observations: Observations, codes: Tensor | None) -> Observations:
        df = self._slopes(model, self.places(observations), codes)
        share = self.least_misfit**2 if self.misfit is None else self.least_misfit**2 + self.misfit
        values, slopes = self.test_functions(observations)
        windows = self.samples(observations, values, slopes)
        at_nodes = windows.whitened(df, share * model.dynamics.derivative_std.square(), shares=True)
        tests = slopes.mT.new_zeros(*slopes.mT.shape[:-1], 2 * self.tests)  # kept for the next time
        tests[..., self.tests :] = slopes.mT
        tests[..., :: self.every, : self.tests] = values.mT
        operator = at_nodes.new_zeros(*tests.shape[:-1], at_nodes.shape[-1])
        operator[..., :: self.every, :] = at_nodes
        return replace(observations, operator=torch.cat([operator, tests], -1).flatten(-3, -2))

    def _slopes(self, model: ModulatedModel, places: Observations, codes: Tensor | None) -> Tensor:
        """Df `[..., windows, nodes, state, state]` at the nodes, by central differences."""
        states = places.states
        size, points = states.shape[-2:][::-1]
        spread = states.std((-3, -2), correction=0, keepdim=True)
        shifts = torch.finfo(states.dtype).eps ** (1 / 3) * torch.where(spread > 0, spread, 1.0)
        axes = torch.eye(size).to(states)
        several = torch.cat([states + sign * shifts * axis for axis in axes for sign in (1, -1)], -2)
        inputs = None if places.inputs is None else torch.cat([places.inputs] * (2 * size), -2)
        up, down = model.vector_field(several, codes, inputs).unflatten(-2, (size, 2, points)).unbind(-3)
        df = ((up - down) / (2 * shifts[..., 0, :, None, None])).movedim(-3, -1)
        of_windows: Tensor = df.unflatten(-3, (-1, self.nodes))
        return of_windows

    def _operator(self, observations: Observations) -> Tensor:
        """A, b and c `[..., windows, nodes, state + 2, residuals]`."""
        size = observations.states.shape[-1]
        rows = self.windows(required(observations.operator))[..., :: self.every, : (size + 2) * self.tests * size]
        operator: Tensor = rows.unflatten(-1, (size + 2, -1))
        return operator

    def windows(self, values: Tensor) -> Tensor:
        """Of values `[..., points, n]`, `[..., windows, samples, n]`."""
        windows: Tensor = values.unflatten(-2, (-1, self.window))
        return windows

    def test_functions(self, observations: Observations) -> tuple[Tensor, Tensor]:
        """Phi `[..., tests, nodes]` and Phi' `[..., tests, samples]`."""
        if observations.operator is not None:
            values, slopes = self.windows(observations.operator)[..., -2 * self.tests :].mT.split(self.tests, -2)
            return values[..., :: self.every], slopes
        times = self.windows(required(observations.times))[..., 0]
        times = times - times[..., :1]
        begin, end = (times[..., k :: self.stride][..., : self.tests] for k in (0, self.support - 1))
        values, slopes = weights(times, begin, end, self.order)
        if self.every > 1:
            values, _ = weights(times[..., :: self.every], begin, end, self.order)
        mass, moment = values.sum(-1, keepdim=True), slopes @ times[..., None]
        exact = torch.where(moment < 0, -mass / torch.where(moment < 0, moment, 1.0), 1.0)  # where f rests
        return values, slopes * exact

    def samples(self, observations: Observations, values: Tensor, slopes: Tensor) -> Windows:
        """Those of all windows, with Phi `[..., tests, nodes]` and Phi' `[..., tests, samples]`."""
        valid = None
        if observations.mask is not None:  # a test function needs the samples up to the end of its support
            valid = self.windows(observations.mask[..., None])[..., self.support - 1 :: self.stride, 0]
        states, smooth, noise = (
            self.windows(required(part)) for part in (observations.states, observations.smooth, observations.noise)
        )
        return Windows(values, slopes, states, smooth, noise, valid, self.every)
