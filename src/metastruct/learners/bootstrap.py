"""What a training learns of the noise of its members: a parametric bootstrap.

The field that was learned is taken for the truth. Its own training members are seen anew, at their smoothed states and
with noise of the same size, and the training goes on from there (the twin); where no derivatives are observed, along
the trajectories that the model takes from their starts. The codes of the twin are then fitted to
exact observations of the members, and what they leave of the first field is an error that noise alone has taught, with
no noise in it. It says nothing of what the model cannot express.

Source: Efron and Tibshirani (1993), An introduction to the bootstrap, chapter 6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from metastruct.adaptation.adaptation import Prior
from metastruct.adaptation.levenberg_marquardt import LevenbergMarquardt
from metastruct.data.recordings import Recordings
from metastruct.data.shots import Request, support, whole
from metastruct.data.trajectory import Array, Member, Trajectory
from metastruct.dynamics.model import ModulatedModel
from metastruct.objectives.derivatives import Derivatives
from metastruct.objectives.rollout import Rollout

STREAM = 3  # of random numbers, apart from those of data and batches; the same for all seeds
SHOTS, STEPS = 300, 20
LONGEST = 1000  # instants that a model goes on without a new start
USUAL = 0.9  # share of the members of which a mean is taken: the code of one in another valley would be all of it
EXACT = 1e-6  # variance of what codes leave, as the fit to exact observations weighs it
Training = Callable[[Recordings], tuple[ModulatedModel, Tensor]]  # the twin's model and codes [tasks, code], in float64


def goes_along(recordings: Recordings) -> bool:
    """Does a twin see trajectories of the model, as no derivatives are observed?"""
    return "derivatives" not in recordings.parts


@torch.no_grad()
def learned_noise(
    model: ModulatedModel,
    codes: Tensor,
    recordings: Recordings,
    judges: Recordings,
    training: Training,
) -> Tensor:
    """Mean square `[state]` of the error of dx/dt, in units of its spread, of most members, at the states of `judges`.

    Not finite where the twin diverged.

    Args:
        model: that was trained, in float64.
        codes: of its training members `[tasks, code]`.
        recordings: that it was trained on.
        judges: other trajectories of the same members.
        training: that of the twin.
    """
    variance = torch.full((len(model.dynamics.state_mean),), EXACT, dtype=codes.dtype)
    along = goes_along(recordings)
    if along:
        recordings = judges = _cut(recordings)
    exact = _exact(model, codes, recordings, _paths(model, codes, recordings) if along else recordings.smooth)
    if exact is None:
        return torch.nan * variance
    random, pairs = (
        np.random.default_rng(STREAM),
        zip(recordings.noise, recordings.derivative_noise, strict=True),
    )
    members = [_noisy(member, *levels, random, along) for member, levels in zip(exact, pairs, strict=True)]
    twin, start = training(Recordings(members, recordings.dtype, recordings.lawful, recordings.held))
    objective = Derivatives().learned({}, variance)
    request = Request(("states", "inputs", "derivatives"))
    fit = LevenbergMarquardt(STEPS).fit(
        twin, objective, support(exact, SHOTS, 0, request), start, Prior.of(start, variance)
    )
    shown = exact if judges is recordings else _exact(model, codes, judges, judges.smooth)
    assert shown is not None
    places = whole(shown, request)
    assert places.derivatives is not None
    error = (
        twin.vector_field(places.states, fit.codes, places.inputs) - places.derivatives
    ) / model.dynamics.derivative_std
    mask = torch.ones_like(error[..., 0]) if places.mask is None else places.mask.to(error)
    squares = (error.square() * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    size = (squares / squares.mean(0)).nan_to_num(0.0).sum(-1)
    return squares[size <= size.quantile(USUAL)].mean(0)


def _exact(
    model: ModulatedModel, codes: Tensor, recordings: Recordings, states: Iterable[Array]
) -> Sequence[Member] | None:
    """The members at these states, one array a trajectory, with the model's derivatives; None beyond all numbers."""
    each = iter(states)

    def shown(one: Trajectory, code: Tensor) -> Trajectory:
        places = np.ascontiguousarray(next(each), dtype=np.float64)
        inputs = None if one.inputs is None else torch.as_tensor(one.inputs, dtype=codes.dtype)[None]
        field = model.vector_field(torch.as_tensor(places)[None], code[None], inputs)[0].numpy()
        return replace(one, states=places, derivatives=field, noise=None, derivative_noise=None)

    pairs = zip(recordings.members, codes, strict=True)
    try:
        return [replace(one, trajectories=tuple(shown(part, code) for part in one.trajectories)) for one, code in pairs]
    except ValueError:  # the model leaves its states for infinity
        return None


def _paths(model: ModulatedModel, codes: Tensor, recordings: Recordings) -> Iterator[Array]:
    """The states `[instants, state]` of each trajectory as the model goes on from its first, smoothed one."""
    longest = max(max(lengths) for lengths in recordings.lengths)
    settled = Rollout(2, None, "observed", EXACT).settled(recordings)
    rollouts = settled.learned({**settled.numbers, "samples": longest}, None)
    every = whole(recordings.members, replace(rollouts.request, window=longest))
    assert every.smooth is not None
    starts = every.smooth.unflatten(-2, (-1, longest))[..., 0, :]
    paths = rollouts.path(model, every, codes, starts).numpy()
    for member, lengths in enumerate(recordings.lengths):
        for number, samples in enumerate(lengths):
            yield paths[member, number, :samples]


def _cut(recordings: Recordings) -> Recordings:
    """The same with trajectories of `LONGEST` instants at most."""

    def pieces(one: Trajectory) -> Iterator[Trajectory]:
        for rows in np.array_split(np.arange(len(one)), -(-len(one) // LONGEST)):
            inputs = None if one.inputs is None else one.inputs[rows]
            yield replace(one, times=one.times[rows], states=one.states[rows], inputs=inputs)

    members = [
        replace(member, trajectories=tuple(part for one in member.trajectories for part in pieces(one)))
        for member in recordings.members
    ]
    return Recordings(members, recordings.dtype, recordings.lawful, recordings.held)


def _noisy(member: Member, noise: Array, derivative_noise: Array, random: np.random.Generator, along: bool) -> Member:
    """The member with errors of these standard deviations `[state]`, which are told; along: of its states alone."""

    def shown(one: Trajectory) -> Trajectory:
        assert one.derivatives is not None
        states, derivatives = (
            values + level * random.standard_normal(values.shape)
            for values, level in ((one.states, noise), (one.derivatives, derivative_noise))
        )
        if along:
            return replace(one, states=states, derivatives=None, noise=noise)
        return replace(one, states=states, derivatives=derivatives, noise=noise, derivative_noise=derivative_noise)

    return replace(member, trajectories=tuple(shown(one) for one in member.trajectories))
