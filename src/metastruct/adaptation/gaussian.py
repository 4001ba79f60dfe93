"""The fit of a code as a regularised non-linear least-squares problem, linearised at the codes of all tasks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property

import torch
from torch import Tensor

from metastruct.adaptation.adaptation import Fit, Prior
from metastruct.adaptation.agreement import agreement
from metastruct.adaptation.jacobian import Residual


@dataclass(frozen=True)
class Quadratic:
    """cost(z + d) = cost + gradient . d + d^T curvature d / 2, to first order in the residuals' change.

    Args:
        cost: sum of r^2 / (2 s^2) and of the prior's term, `[tasks]`.
        gradient: `[tasks, code]`.
        curvature: J^T J / s^2 + C^-1, `[tasks, code, code]`.
        loss: mean over points of the squared residual, without the prior, `[tasks]`.
        residuals: how many there are, `[tasks]`.
        weighted: J / s^2, `[tasks, residuals, code]`.
        values: r `[tasks, residuals]`.
        field: what the residual was made of, as of `Residual.field`, or None.
    """

    cost: Tensor
    gradient: Tensor
    curvature: Tensor
    loss: Tensor
    residuals: Tensor
    weighted: Tensor
    values: Tensor
    field: Tensor | None = None

    def rows(self, index: Tensor) -> Quadratic:
        """Those of the tasks `index`, which increase."""
        if len(index) == len(self.cost):
            return self
        return self._of_each(lambda part, _: part[index], self)

    def put(self, index: Tensor, other: Quadratic) -> Quadratic:
        """With the tasks `index`, which increase, exchanged for those of the other."""
        if len(index) == len(self.cost):
            return other
        return self._of_each(lambda part, young: part.index_copy(0, index, young), other)

    def _of_each(self, function: Callable[[Tensor, Tensor], Tensor], other: Quadratic) -> Quadratic:
        pairs = {part.name: (getattr(self, part.name), getattr(other, part.name)) for part in fields(self)}
        return replace(self, **{name: function(*pair) for name, pair in pairs.items() if pair[0] is not None})

    def at(self, residual: Residual, codes: Tensor, prior: Prior | None) -> Quadratic:
        """The same at other codes, with the derivatives from here: no more than the residuals are asked for."""
        values = residual(codes)
        cost, loss = misfit(residual, values, codes, prior)
        gradient = slope(self.weighted, values, codes, prior)
        return replace(self, cost=cost, loss=loss, gradient=gradient, values=values)

    @cached_property
    def step(self) -> Tensor:
        """To the minimum `[tasks, code]`; not finite where there is none."""
        return solve(self.curvature, -self.gradient)

    def finite(self) -> Tensor:
        """Tasks `[tasks]` without a NaN or an infinity."""
        return self.cost.isfinite() & self.gradient.isfinite().all(-1) & self.curvature.isfinite().all((-2, -1))


def quadratic(residual: Residual, codes: Tensor, prior: Prior | None, field: Tensor | None = None) -> Quadratic:
    """Linearise at codes `[tasks, code]`; without a prior C^-1 is zero and s^2 one.

    Args:
        field: as of `Residual.field` at these codes, where somebody has it already.
    """
    field = residual.field(codes) if field is None else field
    values, jacobian = residual.with_jacobian(codes) if field is None else residual.of_field(field)
    cost, loss = misfit(residual, values, codes, prior)
    weighted = jacobian if prior is None else jacobian * weights(residual, values, prior).square()[..., None]
    curvature = jacobian.mT @ weighted
    if prior is not None:
        curvature = curvature + prior.precision
    observations = residual.observations
    count = torch.full_like(loss, values.shape[-1] // observations.states.shape[-2]) * observations.count
    return Quadratic(cost, slope(weighted, values, codes, prior), curvature, loss, count, weighted, values, field)


def slope(weighted: Tensor, values: Tensor, codes: Tensor, prior: Prior | None) -> Tensor:
    """The gradient `[tasks, code]` from J / s^2 `[tasks, residuals, code]` and residuals `[tasks, residuals]`."""
    gradient = (values[:, None] @ weighted)[:, 0]
    return gradient if prior is None else gradient + (codes - prior.mean) @ prior.precision


def decrement(at: Quadratic, prior: Prior | None) -> tuple[Tensor, Tensor]:
    """The step to the minimum `[tasks, code]`, and its length in standard deviations of the posterior `[tasks]`.

    Without a prior, in those of the least-squares estimate. Not finite where there is none.
    """
    variance = 1.0 if prior is not None else 2 * at.cost / at.residuals
    return at.step, (-(at.gradient * at.step).sum(-1) / variance).sqrt()


def misfit(residual: Residual, values: Tensor, codes: Tensor, prior: Prior | None) -> tuple[Tensor, Tensor]:
    """Cost and loss, as of `Quadratic`, of residuals `[tasks, residuals]` at codes, without derivatives."""
    loss = (values * values).sum(-1) / residual.observations.count
    if prior is None:
        return (values * values).sum(-1) / 2, loss
    weighted, offset = values * weights(residual, values, prior), codes - prior.mean
    return (weighted * weighted).sum(-1) / 2 + (offset @ prior.precision * offset).sum(-1) / 2, loss


def weights(residual: Residual, values: Tensor, prior: Prior) -> Tensor:
    """1/s of each residual `[tasks, residuals]`, less where it is an outlier."""
    return prior.weight(values) if residual.weights is None else prior.weight(values) * residual.weights


def solve(matrix: Tensor, vector: Tensor) -> Tensor:
    """matrix^-1 vector for symmetric `[tasks, code, code]` and `[tasks, code]`; not finite where there is none."""
    factor, failed = torch.linalg.cholesky_ex(matrix)
    solution = torch.cholesky_solve(vector[..., None], factor)[..., 0]
    return torch.where((failed == 0)[:, None], solution, torch.nan)


def posterior(at: Quadratic, prior: Prior | None, inflation: Tensor | None = None) -> Tensor | None:
    """Covariance `[tasks, code, code]` of the codes there; the prior's for a task that could not be linearised.

    Args:
        inflation: of the variances of the residuals `[tasks]`.
    """
    if prior is None:
        return None
    lost = ~at.finite()
    curvature = torch.where(lost[:, None, None], prior.precision, at.curvature)
    if inflation is not None:
        curvature = (curvature - prior.precision) / inflation[:, None, None] + prior.precision
    return torch.linalg.inv(curvature)


def judged(fit: Fit, at: Quadratic, residual: Residual, prior: Prior | None) -> Fit:
    """The fit with its agreement, and the covariance as that says: residuals at its codes, linearised there or near."""
    covariance = posterior(at, prior)
    if prior is None or covariance is None:
        return fit
    verdict = agreement(residual, at.values, fit.codes, covariance, prior)
    return replace(fit, covariance=posterior(at, prior, verdict.inflation), agreement=verdict, posterior=covariance)
