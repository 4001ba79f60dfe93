"""What codes leave of the training members beside the noise of what was observed.

A training on noisy observations ends with codes that follow its last batches, and with residuals that are mostly noise.
So each training member is adapted to, as a new one would be, from some observations of half of its trajectories, and
judged by the other half. Whitened residuals u with the share c of noise have E u^2 = c + (1 - c) a, so

    a = sum (1 - c) (u^2 - c) / sum (1 - c)^2

is how much larger the misfit is than it was taken to be, over all members and observations.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from metastruct.adaptation.adaptation import Prior
from metastruct.adaptation.levenberg_marquardt import LevenbergMarquardt
from metastruct.data.observations import Recordings, support
from metastruct.data.trajectory import Member
from metastruct.dynamics.model import ModulatedModel
from metastruct.objectives.objective import Objective

SHOTS, JUDGED, STEPS = 200, 1_000, 20
ROUNDS = 2
LEAST = 1e-3  # share of the noise that is misfit at least: less cannot be told from none


@torch.no_grad()
def calibrated(
    result: dict[str, Any], model: ModulatedModel, objective: Objective, recordings: Recordings
) -> dict[str, Any]:
    """The result of a training with codes that were fitted to each member, and the variance that they leave."""
    model = _with_weights(model, result["model"])
    codes, noise = result["codes"].double(), result["noise"].double()
    fitted, judged = (_halves(recordings.members, half) for half in (0, 1))
    shape = objective.reads, objective.window, objective.least
    fitted_points = support(fitted, SHOTS, 0, *shape)
    judged_points = support(judged, JUDGED, 1, *shape)
    levels = torch.as_tensor(recordings.derivative_noise).square().mean(0) / model.dynamics.derivative_std.square()
    misfit = (noise - levels).clamp_min(LEAST * noise)
    freedom = 1 + codes.shape[-1] / (fitted_points.states.shape[-2] * len(noise))
    for _ in range(ROUNDS):
        learned = objective.learned(result["objective"], misfit)
        prior = Prior.of(codes, learned.likelihood(misfit))
        codes = LevenbergMarquardt(STEPS).fit(model, learned, fitted_points, codes, prior).codes
        renewed = learned.renewed(model, judged_points, codes)
        for _ in range(2):  # the states of points that were not fitted
            renewed = learned.renewed(model, renewed, codes)
        values = learned.residual(model, renewed, codes)
        squares = (values * prior.weight(values)).square() / freedom
        share = 1 - learned.noise_share(renewed, values)
        scale = (share * (squares - 1 + share)).sum() / share.square().sum()
        misfit = (misfit * scale).clamp_min(LEAST * noise)
    return result | {"codes": codes.to(result["codes"]), "noise": misfit.to(result["noise"])}


def _halves(members: Sequence[Member], half: int) -> list[Member]:
    """Every other trajectory of each member, or what it has."""
    return [replace(one, trajectories=one.trajectories[half::2] or one.trajectories) for one in members]


def _with_weights(model: ModulatedModel, weights: dict[str, Any]) -> ModulatedModel:
    twin = copy.deepcopy(model)
    for name, parameter in twin.named_parameters():
        parameter.data = weights[name].clone()
    for name, buffer in twin.named_buffers():
        if name in weights:
            buffer.data = weights[name].clone()
    return twin.double().eval().requires_grad_(False)
