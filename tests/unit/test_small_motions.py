"""Small motions about the bottom of an energy that is not zero there: round-off of the energy is no motion."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from metastruct.integrators.balanced_midpoint import BalancedMidpoint
from metastruct.integrators.flow import Flow
from metastruct.integrators.rk4 import RK4
from metastruct.integrators.rollout import rollout

STARTS = torch.tensor([[0.1, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 1e-9]], dtype=torch.float64)[:, None]
TIMES = torch.linspace(0, 2, 3, dtype=torch.float64)


def damped(height: float) -> Flow:
    """A pendulum with friction, the bottom of its energy at a height."""

    def field(x: Tensor) -> Tensor:
        q, v = x.chunk(2, -1)
        return torch.cat([v, -q.sin() - 0.3 * v], -1)

    return Flow(field, lambda x: x[..., 1] ** 2 / 2 - x[..., 0].cos() + height, power=lambda x: -0.3 * x[..., 1] ** 2)


@pytest.mark.few(1)
@pytest.mark.filterwarnings("ignore:.*were not solved")
@pytest.mark.parametrize("height", [0.0, 1.0, 100.0])
def test_the_balanced_midpoint_follows_them_with_order_two(height):
    exact = rollout(damped(height), STARTS, TIMES, RK4(0.01))
    coarse, fine = (
        (rollout(damped(height), STARTS, TIMES, BalancedMidpoint(h)) - exact).abs().max() for h in (0.2, 0.1)
    )
    assert 3 < coarse / fine < 5
