"""Levenberg-Marquardt on the code: few unknowns, a sum of squares.

A step solves (H + lambda diag H) d = -g with the gradient g and the Gauss-Newton curvature H of the negative
log-posterior (`adaptation`). A task whose cost falls takes the step and divides its damping lambda by ten; another
stays and multiplies it by ten. The Newton decrement sqrt(g^T H^-1 g) is the distance to the minimum in standard
deviations of the posterior (Boyd and Vandenberghe 2004, section 9.5.1). Near the minimum a step is not damped, and what
it leaves is judged by the decrement of the gradient there with the old derivatives: simplified Newton (Deuflhard 2011,
section 2.1.2). A task has converged when it steps from within the tolerance, or when a step leaves no more than a step
from there would, its square; so the last step, and for most the only one on all points, is not linearised again.
`screening` says where a task begins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from metastruct.adaptation.adaptation import Adaptation, Fit, Prior, frozen
from metastruct.adaptation.gaussian import Quadratic, decrement, judged, quadratic, solve
from metastruct.adaptation.jacobian import Residual
from metastruct.adaptation.screening import screened
from metastruct.data.observations import Observations
from metastruct.dynamics.model import ModulatedModel, Single
from metastruct.objectives.glimpse import glimpse
from metastruct.objectives.objective import Objective

LARGEST_DAMPING = 1e12
RENEWALS = 2  # of what whitens a residual that depends on codes; after one, bars of noisy states are narrow
MANY = 0.75  # share of its points below which a task is fitted to few of them first
ROUNDS = 5  # of weights of outliers
NORMAL = 1.4826  # standard deviation by median absolute deviation
WEIGHTS: dict[str, Callable[[Tensor], Tensor]] = {  # of a residual in standard deviations
    "huber": lambda u: 1.345 / u.abs().clamp_min(1.345),
    "student": lambda u: 5.0 / (4.0 + u.square()),  # four degrees of freedom
}
CROWD = 64  # tasks from which a copy in single precision pays for what only has to come near
ROUGH = 3.0  # tolerance of the fit to few points, for those of all of them lie further from its minimum
NEAR = 10.0  # standard deviations of the posterior within which a step is not damped at first


class LevenbergMarquardt(Adaptation):
    """Damped Gauss-Newton steps on the codes of all tasks at once, each task with a damping and an end of its own.

    Ten steps do the work of hundreds of gradient steps. Use it for codes of few dimensions. Of a crowd of tasks the
    steps on few points are in single precision: codes are those of each task alone to a hundredth of their deviation.

    Args:
        steps: largest number of steps, each one evaluation of the field and of its derivatives.
        tolerance: distance to the minimum from which one step is enough, in standard deviations of the posterior
            (without a prior: of the least-squares estimate).
        damping: first lambda.
        starts: training codes that are compared with the start; 0: begin at the start.
        screening: points of a task on which they are compared. A rough fit to twice as many comes first where a task
            has many more, for steps on few points are cheap.
        robust: None, or how outliers lose weight, iteratively: "huber", or "student" of four degrees of freedom
            (Holland and Welsch 1977). Their scale is that of the median residual of a task, if larger than expected.

    Source: Marquardt (1963), An algorithm for least-squares estimation of nonlinear parameters.
    """

    def __init__(
        self,
        steps: int,
        tolerance: float = 0.1,
        damping: float = 1e-3,
        starts: int = 16,
        screening: int = 8,
        robust: str | None = None,
    ):
        self.steps, self.tolerance, self.robust = steps, tolerance, robust
        self.damping, self.starts, self.screening = damping, starts, screening

    def fit(
        self,
        model: ModulatedModel,
        objective: Objective,
        observations: Observations,
        start: Tensor,
        prior: Prior | None = None,
    ) -> Fit:
        with frozen(model), torch.no_grad():
            codes = start.detach().clone()
            residual, near, field = Residual(model, objective, observations), False, None
            if prior is not None and self.starts:
                coarse = replace(residual, model=Single(model)) if len(codes) >= CROWD else residual
                codes = screened(coarse, codes, prior, self.starts, self.screening)
            residual = replace(residual, observations=objective.renewed(model, observations, codes))
            if prior is not None and self.starts:
                few, share = glimpse(residual.observations, objective.window, 2 * self.screening)
                many = (share < MANY).nonzero()[:, 0]
                spread = prior.covariance.diagonal().sqrt()
                if len(many):
                    rough = replace(coarse, observations=few, spread=spread).of(many)
                    codes[many] = self._fit(rough, codes[many], prior, ROUGH)[0].codes
                near = objective.places(residual.observations) is not None
                if near:
                    residual = replace(residual, spread=spread)
                    near_fit, here = self._fit(residual, codes, prior, ROUGH)
                    codes, field = near_fit.codes, here.field
                    residual = replace(residual, observations=objective.renewed(model, residual.observations, codes))
            fit, at = self._fit(residual, codes, prior, self.tolerance, field)
            for _ in range(ROUNDS if self.robust and prior is not None else 0 if near else RENEWALS):
                renewed = replace(residual, observations=objective.renewed(model, residual.observations, fit.codes))
                if self.robust and prior is not None:
                    renewed = replace(renewed, weights=_weights(renewed, fit.codes, prior, WEIGHTS[self.robust]))
                elif renewed.observations is residual.observations:
                    break
                residual = renewed
                fit, at = self._fit(residual, fit.codes.clone(), prior, self.tolerance)
            return judged(fit, at, residual, prior)

    def _fit(
        self,
        residual: Residual,
        codes: Tensor,
        prior: Prior | None,
        tolerance: float,
        field: Tensor | None = None,
    ) -> tuple[Fit, Quadratic]:
        rough = residual.spread is not None  # differences take hardly longer than the residuals alone
        at = quadratic(residual, codes, prior, field)
        damping = torch.full_like(at.cost, self.damping)
        converged = torch.zeros_like(at.cost, dtype=torch.bool)
        trace = [at.loss]
        active = at.finite().nonzero()[:, 0]
        while len(active) and len(trace) <= self.steps:
            here, there = at.rows(active), residual.of(active)
            step, distance = self._step(here, damping[active], prior)
            candidate = codes[active] + step
            ahead = quadratic(there, candidate, prior) if rough else here.at(there, candidate, prior)
            better = ahead.cost < here.cost
            _, left = decrement(ahead, prior)
            arrived = (distance <= tolerance) | (better & (left <= min(tolerance, tolerance**2)))
            damping[active] *= torch.where(better, 0.1, 10.0).to(damping)
            codes[active] = torch.where(better[:, None], candidate, codes[active])
            at = at.put(active[better], ahead.rows(better.nonzero()[:, 0]))
            trace.append(at.loss)
            converged[active] = arrived
            moved = active[better & ~arrived]
            if len(moved) and not rough:
                at = at.put(moved, quadratic(residual.of(moved), codes[moved], prior))
            active = active[~arrived & (damping[active] < LARGEST_DAMPING)]
        if len(active):
            converged[active] = decrement(at.rows(active), prior)[1] <= tolerance
        trace += trace[-1:] * (self.steps + 1 - len(trace))
        return Fit(codes, torch.stack(trace), converged=converged), at

    def _step(self, at: Quadratic, damping: Tensor, prior: Prior | None) -> tuple[Tensor, Tensor]:
        """Steps `[tasks, code]`, and how far the minimum is `[tasks]`."""
        step, distance = decrement(at, prior)
        careful = ~((distance <= NEAR) & (damping <= self.damping))
        if careful.any():
            ridge = torch.diag_embed(damping[:, None] * at.curvature.diagonal(dim1=-2, dim2=-1))
            step = torch.where(careful[:, None], solve(at.curvature + ridge, -at.gradient), step)
        return step, distance


def _weights(residual: Residual, codes: Tensor, prior: Prior, weight: Callable[[Tensor], Tensor]) -> Tensor:
    """Roots of the weights `[tasks, residuals]`."""
    values = residual(codes)
    values = values * prior.weight(values)
    there = torch.where(values != 0, values.abs(), torch.nan)
    spread = (NORMAL * there.nanmedian(-1, keepdim=True).values).nan_to_num(nan=1.0).clamp_min(1.0)
    return weight(values / spread).sqrt()
