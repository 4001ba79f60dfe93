"""How far the truth may be from an adapted member, to first order in the code.

Two independent parts: what the support data left open of the code, J Sigma J^T with the posterior's covariance Sigma,
and what no code explains of dx/dt, a s^2 with the variance s^2 of the training tasks and the scale a of the task
(`agreement`), as far as the residual of the objective tells. With many observations the second is nearly all. Misfit
differs from place to place and its scale is estimated, so it has the quantiles of Student's t and noise those of a
Gaussian; half the width of a bar is the root of the sum of the squares of both. A code that misfit has moved explains
the misfit near the observations, so that part of both cancels: what is left was measured (`agreement.OF_CODE`). They
speak of states like the training data's.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from metastruct.adaptation.adaptation import Fit, Prior
from metastruct.adaptation.agreement import OF_CODE, gaussian, reach
from metastruct.adaptation.jacobian import field_with_jacobian, with_jacobian
from metastruct.dynamics.model import ModulatedModel

ONE_SIGMA = 0.6826894921370859


def variance(jacobian: Tensor, covariance: Tensor) -> Tensor:
    """J Sigma J^T `[tasks, points, m]` for J `[tasks, points, m, code]` and Sigma `[tasks, code, code]`."""
    return ((jacobian @ covariance[:, None]) * jacobian).sum(-1)


def error_bar(
    model: ModulatedModel, x: Tensor, fit: Fit, prior: Prior, level: float = ONE_SIGMA, inputs: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The vector field at x and half the width of a bar that holds the truth, both `[tasks, points, state]`.

    Args:
        fit: with a covariance; without an agreement a is one.
        level: how often it does; one standard deviation of a Gaussian by default.
        inputs: u `[tasks, points, input]` at x, where the members are driven.
    """
    field, (half,) = error_bars(model, x, fit, prior, (level,), inputs)
    return field, half


def error_bars(
    model: ModulatedModel, x: Tensor, fit: Fit, prior: Prior, levels: Sequence[float], inputs: Tensor | None = None
) -> tuple[Tensor, list[Tensor]]:
    """Of several levels at states x `[tasks, points, state]`: the field, and half the width of each bar, as x."""
    field, jacobian = field_with_jacobian(model, x, fit.codes, inputs)
    unexplained = prior.field_noise * model.dynamics.derivative_std.square()
    return field, [_bar(jacobian, fit, unexplained, level) for level in levels]


def _bar(jacobian: Tensor, fit: Fit, unexplained: Tensor, level: float) -> Tensor:
    """`[tasks, points, m]`; unexplained is that of a task with a = 1, `[..., m]`."""
    assert fit.covariance is not None
    if fit.agreement is None:
        return (variance(jacobian, fit.covariance) + unexplained).sqrt() * gaussian(level)
    verdict = fit.agreement
    scale, freedom, core, share = (
        part[:, None, None] for part in (verdict.scale, verdict.freedom, verdict.core, verdict.share)
    )
    of_code, of_misfit = variance(jacobian, fit.covariance), scale * unexplained
    certain, estimated = (1 - share) * of_code, OF_CODE * share * of_code + core * of_misfit
    return (certain * gaussian(level) ** 2 + estimated * reach(level, freedom).square()).sqrt()


def energy_difference(
    model: ModulatedModel, x: Tensor, y: Tensor, fit: Fit, prior: Prior, level: float = ONE_SIGMA
) -> tuple[Tensor, Tensor]:
    """E(x) - E(y) and half the width of its bar, as of `error_bar`, both `[tasks, points]`, for states x and y.

    The unexplained error of dE/dx_i has the spread of the derivative that it drives times s, and is taken as
    constant on the way from y to x.

    Raises:
        TypeError: the dynamics has no energy whose slope is its field.
    """
    slopes = model.dynamics.energy_slopes

    def difference(z: Tensor) -> Tensor:
        updates = model.modulation(z)
        return (model.dynamics.energy(x, updates) - model.dynamics.energy(y, updates))[..., None]

    size = x.shape[-1]
    values, jacobian = with_jacobian(difference, fit.codes)
    noise = prior.field_noise.roll(size // 2)
    unexplained = ((x - y).square() * slopes.square() * noise).sum(-1, keepdim=True)
    return values[..., 0], _bar(jacobian, fit, unexplained, level)[..., 0]
