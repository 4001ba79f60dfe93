"""The exact fit of a code that enters the field affinely: f(x; z) = f_0(x) + sum_i z_i f_i(x).

The negative log-posterior (`adaptation`) is then a quadratic in z, and one undamped Gauss-Newton step from anywhere

    z = z_0 - (J^T J / s^2 + C^-1)^-1 (J^T r(z_0) / s^2 + C^-1 (z_0 - m))

is its minimum: ridge regression with the Gaussian of the training codes.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from metastruct.adaptation.adaptation import Adaptation, Fit, Prior, frozen
from metastruct.adaptation.gaussian import judged, misfit, quadratic
from metastruct.adaptation.jacobian import Residual
from metastruct.data.observations import Observations
from metastruct.dynamics.model import ModulatedModel
from metastruct.objectives.objective import Objective

AFFINE = 1e-4  # largest error of the predicted loss, relative, that round-off may explain


class ClosedForm(Adaptation):
    """Linear least squares on the codes of all tasks at once, the adaptation of modulation=camel.

    Without a prior and with fewer residuals than the code has dimensions, the step of least length is taken.

    Raises:
        ValueError: the field turns out not to be affine in the code.

    Source: Blanke and Lelarge (2024), Interpretable meta-learning of physical systems.
    """

    def fit(
        self,
        model: ModulatedModel,
        objective: Objective,
        observations: Observations,
        start: Tensor,
        prior: Prior | None = None,
    ) -> Fit:
        with frozen(model), torch.no_grad():
            residual = Residual(model, objective, objective.renewed(model, observations, start))
            before = quadratic(residual, start, prior)
            finite = before.finite()[:, None]
            inverse = torch.linalg.pinv(torch.where(finite[..., None], before.curvature, 0.0), hermitian=True)
            step = -(inverse @ torch.where(finite, before.gradient, 0.0)[..., None])[..., 0]
            codes = start + step
            values = residual(codes)
            cost, loss = misfit(residual, values, codes, prior)
            predicted = before.cost + (before.gradient * step).sum(-1) / 2
            off = (cost - predicted).abs() > AFFINE * before.cost + torch.finfo(codes.dtype).eps
            if off.any():
                raise ValueError(
                    "the closed form needs a field that is affine in the code, got one that is not; "
                    "use an adaptation that takes steps"
                )
            fit = Fit(codes, torch.stack([before.loss, loss]), converged=before.finite())
            return judged(fit, replace(before, values=values), residual, prior)
