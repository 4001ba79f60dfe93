"""What a training learns of the noise of its members: a parametric bootstrap.

The field that was learned is taken for the truth. Its own training members are seen anew, at their smoothed states and
with noise of the same size, and the training goes on from there (the twin). The codes of the twin are then fitted to
exact observations of the members, and what they leave of the first field is an error that noise alone has taught, with
no noise in it. It says nothing of what the model cannot express.

Source: Efron and Tibshirani (1993), An introduction to the bootstrap, chapter 6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from metastruct.adaptation.adaptation import Prior
from metastruct.adaptation.levenberg_marquardt import LevenbergMarquardt
from metastruct.data.recordings import Recordings
from metastruct.data.shots import support, whole
from metastruct.data.trajectory import Array, Member, Trajectory
from metastruct.dynamics.model import ModulatedModel
from metastruct.objectives.objective import Objective

STREAM = 3  # of random numbers, apart from those of data and batches; the same for all seeds
SHOTS, STEPS = 300, 20
EXACT = 1e-6  # variance of what codes leave, as the fit to exact observations weighs it
Training = Callable[[Recordings], tuple[ModulatedModel, Tensor]]  # the twin's model and codes [tasks, code], in float64


@torch.no_grad()
def learned_noise(
    model: ModulatedModel,
    codes: Tensor,
    objective: Objective,
    recordings: Recordings,
    judges: Recordings,
    training: Training,
) -> Tensor:
    """Mean square `[state]` of the error of dx/dt, in units of its spread, at states that were not trained on.

    Not finite where the twin diverged.

    Args:
        model: that was trained, in float64.
        codes: of its training members `[tasks, code]`.
        recordings: that it was trained on.
        judges: other trajectories of the same members.
        training: that of the twin.
    """
    exact = _exact(model, codes, recordings)
    random, pairs = (
        np.random.default_rng(STREAM),
        zip(recordings.noise, recordings.derivative_noise, strict=True),
    )
    members = [_noisy(member, *levels, random) for member, levels in zip(exact, pairs, strict=True)]
    twin, start = training(Recordings(members, recordings.dtype, recordings.lawful, recordings.held))
    variance = torch.full((len(model.dynamics.state_mean),), EXACT, dtype=codes.dtype)
    shape = objective.reads, objective.window, objective.least
    plain = objective.learned({}, variance)
    fit = LevenbergMarquardt(STEPS).fit(twin, plain, support(exact, SHOTS, 0, *shape), start, Prior.of(start, variance))
    places = whole(_exact(model, codes, judges), *shape)
    assert places.derivatives is not None
    error = (
        twin.vector_field(places.states, fit.codes, places.inputs) - places.derivatives
    ) / model.dynamics.derivative_std
    mask = torch.ones_like(error[..., 0]) if places.mask is None else places.mask.to(error)
    return (error.square() * mask[..., None]).sum((0, 1)) / mask.sum()


def _exact(model: ModulatedModel, codes: Tensor, recordings: Recordings) -> Sequence[Member]:
    """The members at their smoothed states, with the derivatives of the model."""
    smooth = iter(recordings.smooth)

    def shown(one: Trajectory, code: Tensor) -> Trajectory:
        states = np.ascontiguousarray(next(smooth), dtype=np.float64)
        inputs = None if one.inputs is None else torch.as_tensor(one.inputs, dtype=codes.dtype)[None]
        field = model.vector_field(torch.as_tensor(states)[None], code[None], inputs)[0].numpy()
        return replace(one, states=states, derivatives=field, noise=None, derivative_noise=None)

    pairs = zip(recordings.members, codes, strict=True)
    return [
        replace(member, trajectories=tuple(shown(one, code) for one in member.trajectories)) for member, code in pairs
    ]


def _noisy(member: Member, noise: Array, derivative_noise: Array, random: np.random.Generator) -> Member:
    """The member with errors of these standard deviations `[state]`, which are told."""

    def shown(one: Trajectory) -> Trajectory:
        assert one.derivatives is not None
        states, derivatives = (
            values + level * random.standard_normal(values.shape)
            for values, level in ((one.states, noise), (one.derivatives, derivative_noise))
        )
        return replace(one, states=states, derivatives=derivatives, noise=noise, derivative_noise=derivative_noise)

    return replace(member, trajectories=tuple(shown(one) for one in member.trajectories))
