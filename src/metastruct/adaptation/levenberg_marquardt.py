"""Levenberg-Marquardt on the code: few unknowns, a sum of squares.

A step solves (H + lambda diag H) d = -g with the gradient g and the Gauss-Newton curvature H of the negative
log-posterior (`adaptation`). A task whose cost falls takes the step and divides its damping lambda by ten; another
stays and multiplies it by ten. A task is done when the Newton decrement sqrt(g^T H^-1 g), the distance to the minimum
in standard deviations of the posterior, is below the tolerance (Boyd and Vandenberghe 2004, section 9.5.1).

Steps that large end in the nearest valley, and from the mean code that is often not the deepest. So a task begins at
the best of the start and the training codes, judged by its posterior at a few points.
"""

from __future__ import annotations

import torch
from torch import Tensor

from metastruct.adaptation.adaptation import Adaptation, Fit, Prior, frozen
from metastruct.adaptation.gaussian import Quadratic, posterior, quadratic, screened, solve
from metastruct.adaptation.jacobian import Residual
from metastruct.data.observations import Observations
from metastruct.dynamics.model import ModulatedModel
from metastruct.objectives.objective import Objective

LARGEST_DAMPING = 1e12


class LevenbergMarquardt(Adaptation):
    """Damped Gauss-Newton steps on the codes of all tasks at once, each task with a damping and an end of its own.

    Ten steps do the work of hundreds of gradient steps. Use it for codes of few dimensions.

    Args:
        steps: largest number of steps, each one evaluation of the field and of its derivatives.
        tolerance: distance to the minimum at which a task is done, in standard deviations of its posterior (without a
            prior: of the least-squares estimate).
        damping: first lambda.
        screening: points of a task on which the training codes are compared with the start; 0: begin at the start.

    Source: Marquardt (1963), An algorithm for least-squares estimation of nonlinear parameters.
    """

    def __init__(self, steps: int, tolerance: float = 1e-3, damping: float = 1e-3, screening: int = 8):
        self.steps, self.tolerance = steps, tolerance
        self.damping, self.screening = damping, screening

    def fit(
        self,
        model: ModulatedModel,
        objective: Objective,
        observations: Observations,
        start: Tensor,
        prior: Prior | None = None,
    ) -> Fit:
        residual = Residual(model, objective, observations)
        with frozen(model), torch.no_grad():
            codes = start.detach().clone()
            if prior is not None and self.screening:
                codes = screened(residual, codes, prior, self.screening)
            return self._fit(residual, codes, prior)

    def _fit(self, residual: Residual, codes: Tensor, prior: Prior | None) -> Fit:
        at = quadratic(residual, codes, prior)
        damping = torch.full_like(at.cost, self.damping)
        trace = [at.loss]
        active = self._unfinished(at, prior).nonzero()[:, 0]
        while len(active) and len(trace) <= self.steps:
            here = at.rows(active)
            ridge = damping[active, None] * here.curvature.diagonal(dim1=-2, dim2=-1)
            step = solve(here.curvature + torch.diag_embed(ridge), -here.gradient)
            candidate = codes[active] + step
            there = quadratic(residual.of(active), candidate, prior)
            better = there.finite() & (there.cost < here.cost)
            damping[active] *= torch.where(better, 0.1, 10.0).to(damping)
            codes[active[better]] = candidate[better]
            at = at.put(active[better], there.rows(better))
            trace.append(at.loss)
            going = self._unfinished(at.rows(active), prior) & (damping[active] < LARGEST_DAMPING)
            active = active[going]
        trace += [at.loss] * (self.steps + 1 - len(trace))
        return Fit(codes, torch.stack(trace), posterior(at, prior))

    def _unfinished(self, at: Quadratic, prior: Prior | None) -> Tensor:
        """Tasks `[tasks]` that are finite and not yet at their minimum."""
        squared_decrement = -(at.gradient * solve(at.curvature, -at.gradient)).sum(-1)
        variance = 1.0 if prior is not None else 2 * at.cost / at.residuals
        return at.finite() & ~(squared_decrement <= self.tolerance**2 * variance)
