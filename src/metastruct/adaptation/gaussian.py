"""The fit of a code as a regularised non-linear least-squares problem, linearised at the codes of all tasks."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from metastruct.adaptation.adaptation import Prior
from metastruct.adaptation.jacobian import with_jacobian
from metastruct.dynamics.model import ModulatedModel


@dataclass(frozen=True)
class Quadratic:
    """cost(z + d) = cost + gradient . d + d^T curvature d / 2, to first order in the residuals' change.

    Args:
        cost: sum of r^2 / (2 s^2) and of the prior's term, `[tasks]`.
        gradient: `[tasks, code]`.
        curvature: J^T J / s^2 + C^-1, `[tasks, code, code]`.
        loss: mean over points of the squared standardised residual, without the prior, `[tasks]`.
    """

    cost: Tensor
    gradient: Tensor
    curvature: Tensor
    loss: Tensor

    def rows(self, index: Tensor) -> Quadratic:
        """Those of the tasks `index`."""
        return Quadratic(*(getattr(self, part.name)[index] for part in fields(self)))

    def put(self, index: Tensor, other: Quadratic) -> Quadratic:
        """With the tasks `index` exchanged for those of the other."""
        return Quadratic(*(getattr(self, p.name).index_copy(0, index, getattr(other, p.name)) for p in fields(self)))

    def finite(self) -> Tensor:
        """Tasks `[tasks]` without a NaN or an infinity."""
        return self.cost.isfinite() & self.gradient.isfinite().all(-1) & self.curvature.isfinite().all((-2, -1))


def quadratic(model: ModulatedModel, x: Tensor, dxdt: Tensor, codes: Tensor, prior: Prior | None) -> Quadratic:
    """Linearise at codes `[tasks, code]`; without a prior C^-1 is zero and s^2 one."""
    scale = model.dynamics.derivative_std
    values, jacobian = with_jacobian(lambda z: model.vector_field(x, z), codes)
    residual, jacobian = (values - dxdt) / scale, jacobian / scale[:, None]
    loss = (residual * residual).sum((-2, -1)) / x.shape[-2]
    if prior is not None:
        weight = prior.noise.rsqrt()
        residual, jacobian = residual * weight, jacobian * weight[:, None]
    residual, jacobian = residual.flatten(1), jacobian.flatten(1, 2)
    cost = (residual * residual).sum(-1) / 2
    gradient = (jacobian * residual[..., None]).sum(1)
    curvature = jacobian.mT @ jacobian
    if prior is not None:
        precision, offset = torch.linalg.inv(prior.covariance), codes - prior.mean
        pull = offset @ precision
        cost, gradient, curvature = cost + (pull * offset).sum(-1) / 2, gradient + pull, curvature + precision
    return Quadratic(cost, gradient, curvature, loss)


def screened(model: ModulatedModel, x: Tensor, dxdt: Tensor, start: Tensor, prior: Prior, count: int) -> Tensor:
    """For each task the most probable of its start and the training codes, from `count` of its points."""
    tasks, points = x.shape[:2]
    some = torch.linspace(0, points - 1, min(count, points), device=x.device).long()
    codes = torch.cat([start[None], prior.codes[:, None].expand(-1, tasks, -1)])
    repeat = len(codes), 1, 1
    values = model.vector_field(x[:, some].repeat(repeat), codes.flatten(0, 1)).unflatten(0, (len(codes), tasks))
    residual = (values - dxdt[:, some]) / model.dynamics.derivative_std
    offset = codes - prior.mean
    cost = (residual * residual / prior.noise).sum((-2, -1)) * (points / len(some))
    cost = cost + (offset @ torch.linalg.inv(prior.covariance) * offset).sum(-1)
    best = cost.nan_to_num(nan=torch.inf).argmin(0)
    return codes[best, torch.arange(tasks, device=x.device)]


def solve(matrix: Tensor, vector: Tensor) -> Tensor:
    """matrix^-1 vector for symmetric `[tasks, code, code]` and `[tasks, code]`; not finite where there is none."""
    factor, failed = torch.linalg.cholesky_ex(matrix)
    solution = torch.cholesky_solve(vector[..., None], factor)[..., 0]
    return torch.where((failed == 0)[:, None], solution, torch.nan)


def posterior(at: Quadratic, prior: Prior | None) -> Tensor | None:
    """Covariance `[tasks, code, code]` of the codes there; the prior's for a task that could not be linearised."""
    if prior is None:
        return None
    lost = ~at.finite()
    curvature = torch.where(lost[:, None, None], torch.linalg.inv(prior.covariance), at.curvature)
    return torch.linalg.inv(curvature)
