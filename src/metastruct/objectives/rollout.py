"""Multiple shooting: the model is integrated over windows of samples and compared with all of them.

    e_i = x_i - flow(t_i - t_0; x_0, z),   r = e / s,   s^2 = sigma^2 + misfit^2

The start of a window is its smoothed first state. A fitted start is one that leaves least: to first order it takes e
out of the columns of its sensitivity d flow / d x_0 (variable projection, Kaufman 1975), so no numbers have to be kept
for it:

    r = (I - Q Q^T) e / s,   Q R = (d flow / d x_0) / s

Windows of all tasks go through in one batch. Long ones average noise and see slow drifts; of chaotic motion they must
stay below a Lyapunov time.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from metastruct.objectives.objective import Objective, of_noise, required

if TYPE_CHECKING:
    from metastruct.data.observations import Observations
    from metastruct.data.recordings import Recordings
    from metastruct.dynamics.model import ModulatedModel

STEP = 0.5  # of the integration, in units of the fastest rate of change
SHIFT = 1e-2  # of a start, by which its sensitivity is taken, in units of the spread of the states


class Rollout(Objective):
    """r = (x - flow(x_0)) / s over windows of consecutive samples; for measured states.

    Args:
        samples: of a window, at least 2; fewer where a trajectory has fewer. substeps: of the classical Runge-Kutta
        scheme from sample to sample; None: chosen by the training data. starts: "fitted", or "observed": then the error
        of the smoothed start counts as one of the model. misfit: the least error of the model that is reckoned with, as
        a share of the spread of the states; what training
            leaves is added.
    """

    reads = ("states", "smooth", "noise", "times", "inputs")
    requires = ("states", "times")
    least = 2

    def __init__(self, samples: int, substeps: int | None, starts: str, misfit: float):
        self.window, self.chosen, self.least_misfit = samples, substeps, misfit
        self.fitted, self.substeps = starts == "fitted", substeps or 1
        self.misfit: Tensor | None = None  # variance that codes leave, relative to that of the states, [state]
        self.held = False  # do inputs stay as they are between samples?
        self.numbers: Mapping[str, float] = {"samples": samples, "substeps": self.substeps}

    def _shaped(self, samples: int, substeps: int) -> Rollout:
        objective = copy.copy(self)
        objective.window, objective.substeps = samples, substeps
        objective.numbers = {"samples": samples, "substeps": substeps}
        return objective

    def settled(self, recordings: Recordings) -> Rollout:
        shortest = min(min(lengths) for lengths in recordings.lengths)
        size = recordings.parts["states"].shape[-1]
        df = recordings.read(["crude_law"])["crude_law"].double().unflatten(-1, (size, size))
        rate = float(torch.linalg.matrix_norm(df, ord=2).quantile(0.99)) if len(df) < 10**6 else 0.0
        steps = [np.diff(one.times).max() for m in recordings.members for one in m.trajectories if len(one) > 1]
        substeps = self.chosen or max(1, math.ceil(rate * float(np.median(steps)) / STEP))
        objective = self._shaped(max(2, min(self.window, shortest)), substeps)
        if recordings.held:
            objective.held, objective.numbers = True, {**objective.numbers, "held": 1}
        return objective

    def learned(self, numbers: Mapping[str, float], noise: Tensor | None) -> Rollout:
        objective = self._shaped(int(numbers["samples"]), int(numbers["substeps"])) if numbers else copy.copy(self)
        objective.misfit, objective.held = noise, "held" in numbers
        return objective

    def described(self) -> str:
        return (
            f"states alone are learned from: the law is followed over {self.window} instants at a time, in "
            f"{self.substeps} steps from one to the next"
        )

    def likelihood(self, noise: Tensor) -> Tensor:
        return torch.ones_like(noise)

    def noise_share(self, observations: Observations, residual: Tensor) -> Tensor:
        return of_noise(observations, residual)

    def renewed(self, model: ModulatedModel, observations: Observations, codes: Tensor) -> Observations:
        """With the sensitivities at these codes, which the starts are fitted by."""
        if not self.fitted:
            return observations
        starts = self._windows(required(observations.smooth))[..., 0, :]
        sensitivity = self._sensitivity(model, observations, codes, starts)
        return replace(observations, operator=sensitivity.flatten(-2).flatten(-3, -2))

    def residual(self, model: ModulatedModel, observations: Observations, codes: Tensor | None) -> Tensor:
        residual, scale = self._errors(model, observations, codes)
        return (residual / scale).flatten(-3)

    def unexplained(self, model: ModulatedModel, observations: Observations, codes: Tensor) -> Tensor:
        """What is left of the squares without the noise, relative to the spread of the states."""
        residual, _ = self._errors(model, observations, codes)
        share = 1 - 1 / self.window if self.fitted else 1.0
        noise = self._windows(required(observations.noise)).square()
        return ((residual.double().square() / share - noise) / model.dynamics.state_std.square()).flatten(-3)

    def _errors(self, model: ModulatedModel, observations: Observations, codes: Tensor | None) -> tuple[Tensor, Tensor]:
        """What is left of e, and s, both `[..., windows, samples, state]`."""
        states, noise = self._windows(observations.states), self._windows(required(observations.noise))
        spread = model.dynamics.state_std
        share = self.least_misfit**2 if self.misfit is None else self.least_misfit**2 + self.misfit
        scale = (noise.square() + share * spread.square()).sqrt()
        starts = self._windows(required(observations.smooth))[..., 0, :].detach()
        errors = (states - self.path(model, observations, codes, starts)) / scale
        there = torch.ones_like(errors[..., :1])
        if observations.mask is not None:
            there = self._windows(observations.mask[..., None]).to(errors.dtype)
        if self.fitted:
            size = starts.shape[-1]
            if observations.operator is None:
                sensitivity = self._sensitivity(model, observations, codes, starts)
            else:
                sensitivity = self._windows(observations.operator).unflatten(-1, (size, size))
            basis = (sensitivity / scale[..., None] * there[..., None]).flatten(-3, -2)
            basis = torch.linalg.qr(basis)[0]
            flat = (errors * there).flatten(-2)[..., None]
            errors = (flat - basis @ (basis.mT @ flat))[..., 0].view_as(errors)
        else:
            there = torch.cat([torch.zeros_like(there[..., :1, :]), there[..., 1:, :]], -2)
        return errors * there * scale, scale

    @torch.no_grad()
    def _sensitivity(
        self, model: ModulatedModel, observations: Observations, codes: Tensor | None, starts: Tensor
    ) -> Tensor:
        """d flow / d x_0 `[..., windows, samples, state, state]`, by central differences."""
        size, windows = starts.shape[-1], starts.shape[-2]
        shifts = SHIFT * torch.diag(model.dynamics.state_std)
        several = torch.cat([starts + sign * shift for shift in shifts for sign in (1, -1)], -2)
        parts = {name: getattr(observations, name) for name in ("times", "inputs")}
        repeated = {name: torch.cat([part] * (2 * size), -2) for name, part in parts.items() if part is not None}
        paths = self.path(model, type(observations)(states=observations.states, **repeated), codes, several)
        up, down = paths.unflatten(-3, (size, 2, windows)).unbind(-4)
        slopes: Tensor = ((up - down) / (2 * shifts.sum(-1)[:, None, None, None])).movedim(-4, -1)
        return slopes

    def path(self, model: ModulatedModel, observations: Observations, codes: Tensor | None, starts: Tensor) -> Tensor:
        """States `[..., windows, samples, state]` of the model at the times of the samples."""
        times = self._windows(required(observations.times))
        inputs = None if observations.inputs is None else self._windows(observations.inputs)
        x, path = starts, [starts]
        for sample in range(self.window - 1):
            h = (times[..., sample + 1, :] - times[..., sample, :]) / self.substeps
            for number in range(self.substeps):

                def field(y: Tensor, stage: float, sample: int = sample, number: int = number) -> Tensor:
                    if inputs is None:
                        return model.vector_field(y, codes)
                    share = 0.0 if self.held else (number + stage) / self.substeps
                    return model.vector_field(
                        y, codes, torch.lerp(inputs[..., sample, :], inputs[..., sample + 1, :], share)
                    )

                k1 = field(x, 0.0)
                k2 = field(x + h / 2 * k1, 0.5)
                k3 = field(x + h / 2 * k2, 0.5)
                x = x + h / 6 * (k1 + 2 * (k2 + k3) + field(x + h * k3, 1.0))
            path.append(x)
        return torch.stack(path, -2)

    def _windows(self, values: Tensor) -> Tensor:
        windows: Tensor = values.unflatten(-2, (-1, self.window))
        return windows
