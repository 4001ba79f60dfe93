"""What codes leave of the training members beside the noise of what was observed.

Residuals of a training on noisy observations are nearly all noise: their mean square says little of a misfit that is a
thousandth of it. So some trajectories are kept from the training, each training member is adapted to, as a new one
would be, and judged there. Errors of observations are independent, misfits at near states alike: of whitened residuals
u with the share c of noise, g^2 = 1 - c, products of two are free of noise,

    E u_i u_j ~ g_i g_j a w_ij + (J Sigma J^T)_ij,   Sigma the covariance of the code that judges,
    w_ij = exp(-|x_i - x_j|^2 / 2 l^2),              a ~ sum w g g (u u - J Sigma J^T) / sum w^2 g^2 g^2  over i != j,

which is how much larger the misfit is than it was taken to be (Haseman and Elston 1972, of kinship in the place of
nearness). Its error e is told by how members differ. Of two parts of a misfit, noise that was learned, b, is known
better from a twin (`bootstrap`); of the rest a - b, as much counts as e leaves sure, d - e^2/d (James and Stein 1961).
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from metastruct.adaptation.adaptation import Prior
from metastruct.adaptation.jacobian import Residual
from metastruct.adaptation.levenberg_marquardt import LevenbergMarquardt
from metastruct.config.stages import JUDGING, tell
from metastruct.data.recordings import Recordings
from metastruct.data.shots import support
from metastruct.dynamics.model import ModulatedModel
from metastruct.learners.bootstrap import Training, learned_noise
from metastruct.objectives.objective import Objective

SHOTS, STEPS, ROUNDS = 2000, 20, 2
TASKS = 5  # that are looked at together, so that memory has a bound
JUDGED = 5  # every so many trajectories of a member that has as many are kept from the training
ALIKE = 0.5  # l, in standard deviations of the states: measured on springs of data.seed=1
LEAST = 1e-3  # share of the noise that is misfit, where the twin diverged


def parted(recordings: Recordings) -> tuple[Recordings, Recordings]:
    """What is trained on, and what judges it: all of a member that has too few trajectories for both."""
    parts = []
    for judging in (False, True):
        members = []
        for member in recordings.members:
            every = member.trajectories
            chosen = tuple(one for k, one in enumerate(every) if (k % JUDGED == JUDGED - 1) is judging)
            members.append(replace(member, trajectories=chosen or every))
        parts.append(Recordings(members, recordings.dtype, recordings.lawful, recordings.held))
    return parts[0], parts[1]


@torch.no_grad()
def calibrated(
    result: dict[str, Any],
    model: ModulatedModel,
    objective: Objective,
    recordings: Recordings,
    judges: Recordings,
    training: Training,
) -> dict[str, Any]:
    """The result of a training with codes that were fitted to each member, and the variance that they leave.

    Args:
        training: of the twin, from where this one ended.
    """
    model = with_weights(model, result["model"])
    codes, noise = result["codes"].double(), result["noise"].double()
    taught = learned_noise(model, codes, recordings, judges, training)
    least = torch.where(taught.isfinite(), taught, LEAST * noise).clamp_min(torch.finfo(torch.float32).eps ** 2)
    fitted_points, judging = (
        support(part.members, SHOTS, 0, objective.request, sample=True) for part in (recordings, judges)
    )
    misfit = least
    learned = objective.learned(result["objective"], misfit)
    prior = Prior.of(codes, learned.likelihood(misfit))
    fit = LevenbergMarquardt(STEPS).fit(model, learned, fitted_points, codes, prior)
    assert fit.covariance is not None
    codes, axes = fit.codes, torch.linalg.cholesky(fit.covariance)
    for _ in range(ROUNDS):
        learned, sums = objective.learned(result["objective"], misfit), []
        for tasks in torch.arange(len(codes)).split(TASKS):
            renewed = judging.of(tasks)
            for _ in range(3):  # the states of points that were not fitted
                renewed = learned.renewed(model, renewed, codes[tasks])
            residual = Residual(model, learned, renewed, prior.covariance.diagonal().sqrt())
            values, jacobian = residual.with_jacobian(codes[tasks])
            gain = (1 - learned.noise_share(renewed, values)) * (values != 0)  # what is masked is zero
            scale = gain.sqrt() * learned.likelihood(misfit).rsqrt().repeat(values.shape[-1] // len(misfit))
            alike = nearness((renewed.states if renewed.smooth is None else renewed.smooth) / model.dynamics.state_std)
            of_codes = sum(shared(scale * part, alike) for part in (jacobian @ axes[tasks]).unbind(-1))
            excess = shared(scale * values, alike) - of_codes
            sums.append(torch.stack([excess, shared(gain, alike.square())]))
            tell(JUDGING, int(tasks[-1]) + 1, len(codes))
        excess, gain = torch.cat(sums, 1).unbind()
        misfit = misfit * combined(excess, gain, least / misfit)
    return result | {"codes": codes.to(result["codes"]), "noise": misfit.to(result["noise"])}


@torch.no_grad()
def completed(
    result: dict[str, Any], model: ModulatedModel, objective: Objective, recordings: Recordings, training: Training
) -> dict[str, Any]:
    """The result of a training with what its residual does not show of the field's error, the largest of its estimates.

    Args:
        training: as of `calibrated`.
    """
    model, codes = with_weights(model, result["model"]), result["codes"].double()
    error = objective.unseen(model, recordings, codes)
    if error is None:
        return result
    taught = objective.field_error(len(error))
    if taught is not None and bool((taught > error).any()):
        measured = learned_noise(model, codes, recordings, recordings, training)
        error = torch.maximum(torch.maximum(error, taught), measured.nan_to_num(0.0))
    return result | {"objective": dict(objective.erring(error))}


def nearness(states: Tensor) -> Tensor:
    """w of states `[tasks, points, state]`, and zero of each with itself, `[tasks, points, points]`."""
    weights = torch.exp(-torch.cdist(states, states).square() / (2 * ALIKE**2))
    return weights - torch.diag_embed(weights.diagonal(dim1=-2, dim2=-1))


def shared(values: Tensor, weights: Tensor) -> Tensor:
    """Sums `[tasks, components]` of products of values `[tasks, points * components]`, each pair with its weight."""
    values = values.unflatten(-1, (weights.shape[-1], -1))
    return ((weights @ values) * values).sum(1)


def combined(parts: Tensor, wholes: Tensor, floor: Tensor) -> Tensor:
    """A ratio `[components]` of sums of parts over sums of wholes, both `[tasks, components]`, as far as it is sure.

    Args:
        floor: what it is at least `[components]`.
    """
    ratio = parts.sum(0) / wholes.sum(0)
    error = (parts - ratio * wholes).square().sum(0).sqrt() / wholes.sum(0)
    rest = (ratio - floor).clamp_min(torch.finfo(ratio.dtype).tiny)
    return floor + (rest - error.square() / rest).clamp_min(0.0)


def with_weights(model: ModulatedModel, weights: dict[str, Any]) -> ModulatedModel:
    """A copy of a model with these weights, of one replica, in float64 and frozen."""
    twin = copy.deepcopy(model)
    for name, parameter in twin.named_parameters():
        parameter.data = weights[name].clone()
    for name, buffer in twin.named_buffers():
        if name in weights:
            buffer.data = weights[name].clone()
    return twin.double().eval().requires_grad_(False)
