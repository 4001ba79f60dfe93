"""How far the truth may be from an adapted member, to first order in the code.

Two independent parts: what the support data left open of the code, J Sigma J^T with the posterior's covariance Sigma,
and what no code could explain of dx/dt in the training tasks, as far as the residual of the objective tells: the noise
s^2 of the prior. With many observations the second is nearly all. Both speak of states like the training data's.
"""

from __future__ import annotations

from torch import Tensor

from metastruct.adaptation.adaptation import Prior
from metastruct.adaptation.jacobian import with_jacobian
from metastruct.dynamics.model import ModulatedModel


def variance(jacobian: Tensor, covariance: Tensor) -> Tensor:
    """J Sigma J^T `[tasks, points, m]` for J `[tasks, points, m, code]` and Sigma `[tasks, code, code]`."""
    return ((jacobian @ covariance[:, None]) * jacobian).sum(-1)


def error_bar(
    model: ModulatedModel, x: Tensor, codes: Tensor, covariance: Tensor, prior: Prior, inputs: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The vector field at x and the standard deviation of its error, both `[tasks, points, state]`.

    Args:
        inputs: u `[tasks, points, input]` at x, where the members are driven.
    """
    field, jacobian = with_jacobian(lambda z: model.vector_field(x, z, inputs), codes)
    unexplained = prior.field_noise * model.dynamics.derivative_std.square()
    return field, (variance(jacobian, covariance) + unexplained).sqrt()


def energy_difference(
    model: ModulatedModel, x: Tensor, y: Tensor, codes: Tensor, covariance: Tensor, prior: Prior
) -> tuple[Tensor, Tensor]:
    """E(x) - E(y) and the standard deviation of its error, both `[tasks, points]`, for states x and y.

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
    values, jacobian = with_jacobian(difference, codes)
    noise = prior.field_noise.roll(size // 2)
    unexplained = ((x - y).square() * slopes.square() * noise).sum(-1, keepdim=True)
    return values[..., 0], (variance(jacobian, covariance) + unexplained).sqrt()[..., 0]
