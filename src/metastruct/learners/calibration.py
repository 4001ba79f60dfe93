"""What codes leave of the training members beside the noise of what was observed.

Residuals of a training on noisy observations are nearly all noise: their mean square says little of a misfit that is a
hundredth of it, and where it was trained a model errs towards its noise. So some trajectories are kept from the
training, and each training member is adapted to, as a new one would be, and judged there. Errors of observations are
independent, misfits of neighbours alike: of whitened residuals u with the share c of noise, g^2 = 1 - c, products of
different ones in a block are free of noise,

    E u_i u_j ~ g_i g_j a + (J Sigma J^T)_ij,   Sigma the covariance of the code that judges,
    a ~ sum_blocks ((sum g u)^2 - sum (g u)^2 - the same of Sigma) / sum_blocks ((sum g^2)^2 - sum g^4),

which is how much larger the misfit is than it was taken to be. Its error e is told by how members differ; a is
positive, so its mean is a + e phi(a/e)/Phi(a/e).
"""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from metastruct.adaptation.adaptation import Prior
from metastruct.adaptation.jacobian import Residual
from metastruct.adaptation.levenberg_marquardt import LevenbergMarquardt
from metastruct.data.recordings import Recordings
from metastruct.data.shots import support, whole
from metastruct.dynamics.model import ModulatedModel
from metastruct.objectives.objective import Objective

SHOTS, STEPS, ROUNDS = 2000, 20, 2
TASKS = 5  # that are looked at together, so that memory has a bound
JUDGED = 5  # every so many trajectories of a member that has as many are kept from the training
BLOCK, ALIKE = 10, 0.85  # neighbours, and how alike they err: of duffing oscillators and springs at 20 samples a second
LEAST = 1e-3  # share of the noise that is misfit at least: less cannot be told from none


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
    result: dict[str, Any], model: ModulatedModel, objective: Objective, recordings: Recordings, judges: Recordings
) -> dict[str, Any]:
    """The result of a training with codes that were fitted to each member, and the variance that they leave."""
    model = _with_weights(model, result["model"])
    codes, noise = result["codes"].double(), result["noise"].double()
    shape = objective.reads, objective.window, objective.least
    fitted_points, every = support(recordings.members, SHOTS, 0, *shape), whole(judges.members, *shape)
    blocks = _blocks(judges.lengths, objective.window, every.states.shape[-2]).to(codes.device)
    levels = torch.as_tensor(recordings.derivative_noise).square().mean(0) / model.dynamics.derivative_std.square()
    misfit = (noise - levels).clamp_min(LEAST * noise)
    learned = objective.learned(result["objective"], misfit)
    prior = Prior.of(codes, learned.likelihood(misfit))
    fit = LevenbergMarquardt(STEPS).fit(model, learned, fitted_points, codes, prior)
    assert fit.covariance is not None
    codes, axes = fit.codes, torch.linalg.cholesky(fit.covariance)
    for _ in range(ROUNDS):
        learned, sums = objective.learned(result["objective"], misfit), []
        for tasks in torch.arange(len(codes)).split(TASKS):
            renewed = every.of(tasks)
            for _ in range(3):  # the states of points that were not fitted
                renewed = learned.renewed(model, renewed, codes[tasks])
            residual = Residual(model, learned, renewed, prior.covariance.diagonal().sqrt())
            values, jacobian = residual.with_jacobian(codes[tasks])
            gain = (1 - learned.noise_share(renewed, values)) * (values != 0)  # what is masked is zero
            scale = gain.sqrt() * learned.likelihood(misfit).rsqrt().repeat(values.shape[-1] // len(misfit))
            of_codes = sum(_pairs(scale * part, blocks[tasks]) for part in (jacobian @ axes[tasks]).unbind(-1))
            excess = _pairs(scale * values, blocks[tasks]) - of_codes
            sums.append(torch.stack([excess, ALIKE * _pairs(gain, blocks[tasks])]))
        misfit = (misfit * positive(*torch.cat(sums, 1))).clamp_min(LEAST * noise)
    return result | {"codes": codes.to(result["codes"]), "noise": misfit.to(result["noise"])}


def _blocks(lengths: list[list[int]], window: int, points: int) -> Tensor:
    """The number of the block that each point of each member is in `[tasks, points]`, none in two trajectories."""
    numbers = torch.zeros(len(lengths), points, dtype=torch.int64)
    for task, each in enumerate(lengths):
        first = row = 0
        for samples in each:
            places = torch.arange(samples) // max(BLOCK, window)
            numbers[task, row : row + samples] = first + places
            first, row = first + int(places[-1]) + 1, row + samples
    return numbers


def positive(parts: Tensor, wholes: Tensor) -> Tensor:
    """The mean `[components]` of a positive ratio, of sums of parts over sums of wholes, both `[tasks, components]`."""
    ratio = parts.sum(0) / wholes.sum(0)
    error = (parts - ratio * wholes).square().sum(0).sqrt() / wholes.sum(0)
    distance = ratio / error.clamp_min(torch.finfo(error.dtype).tiny)
    hazard = torch.exp(-distance.square() / 2 - torch.special.log_ndtr(distance)) / math.sqrt(2 * math.pi)
    return ratio + error * hazard


def _pairs(values: Tensor, blocks: Tensor) -> Tensor:
    """Sums `[tasks, components]` of products of different ones in a block, of residuals `[tasks, residuals]`."""
    values = values.unflatten(-1, (blocks.shape[-1], -1))
    index = blocks[..., None].expand(values.shape)
    sums = values.new_zeros(len(values), int(blocks.max()) + 1, values.shape[-1]).scatter_add(1, index, values)
    return sums.square().sum(1) - values.square().sum(1)


def _with_weights(model: ModulatedModel, weights: dict[str, Any]) -> ModulatedModel:
    twin = copy.deepcopy(model)
    for name, parameter in twin.named_parameters():
        parameter.data = weights[name].clone()
    for name, buffer in twin.named_buffers():
        if name in weights:
            buffer.data = weights[name].clone()
    return twin.double().eval().requires_grad_(False)
