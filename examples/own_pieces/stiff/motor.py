"""A pendulum on a motor: its gravity and the torque of an ampere are known, mass and friction are learned."""

from __future__ import annotations

from torch import Tensor

from metastruct.dynamics.known.known import Known


class Motor(Known):
    """V = -w cos q and B = k.

    Args:
        weight: w = m g l.
        constant: k, torque of an ampere.
    """

    def __init__(self, weight: float, constant: float):
        super().__init__()
        self.weight, self.constant = weight, constant

    def potential(self, q: Tensor) -> Tensor:
        return -self.weight * q[..., 0].cos()

    def drive(self, q: Tensor) -> Tensor:
        return q.new_full((1, 1), self.constant)
