"""The weak form: quadrature on any instants, and a whitened residual of unit variance."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from metastruct.data.observations import Recordings, whole
from metastruct.data.trajectory import Member, Trajectory
from metastruct.objectives.test_functions import weights
from metastruct.objectives.weak import Weak

SIGMA = np.array([0.02, 0.04])


class Law(torch.nn.Module):
    """x'' = -a sin(2 x): the true field, in the place of a model."""

    class dynamics:
        derivative_std = torch.tensor([1.0, 2.0], dtype=torch.float64)

    def __init__(self, factor: float = 1.0, units: float = 1.0, clock: float = 1.0):
        super().__init__()
        self.factor, self.units, self.clock = factor, units, clock

    def vector_field(self, x, codes, inputs=None):
        x = x / self.units
        field = torch.stack([x[..., 1], -2 * self.factor * torch.sin(2 * x[..., 0])], -1)
        return field * self.units / self.clock


def members(noise, kind="even", count=201, span=10.0, tasks=4, units=1.0, clock=1.0):
    rng = np.random.default_rng(0)
    result = []
    for _ in range(tasks):
        trajectories = []
        for _ in range(3):
            t = np.linspace(0, span, count)
            if kind == "uneven":
                t = np.sort(np.concatenate([[0.0, span], rng.uniform(0, span, count - 2)]))
            start = rng.uniform(-0.7, 0.7, 2)
            path = solve_ivp(
                lambda _, x: [x[1], -2 * np.sin(2 * x[0])], (0, span), start, t_eval=t, rtol=1e-8, atol=1e-8
            )
            x = path.y.T + noise * rng.standard_normal((count, 2))
            trajectories.append(Trajectory(clock * t, units * x, noise=units * np.asarray(noise) * np.ones(2)))
        result.append(Member(tuple(trajectories)))
    return result


class Blind(Weak):
    """Without Df."""

    def _slopes(self, model, places, codes):
        return 0 * super()._slopes(model, places, codes)


def residual(law, seen, misfit=1e-6, half=None, kind=Weak):
    objective = kind(half, 6, misfit).settled(Recordings(seen, torch.float64))
    observations = whole(seen, objective.reads, objective.window, objective.least)
    renewed = objective.renewed(law, observations, None)
    values = objective.residual(law, renewed, None)
    return values[values != 0]


@pytest.mark.parametrize(("kind", "order"), [("even", 6), ("uneven", 3.5)])
def test_the_quadrature_of_an_exact_derivative_vanishes_at_its_order(kind, order):
    errors = []
    for count in (25, 50, 100, 200):
        rng = np.random.default_rng(3)
        steps = np.ones(count) if kind == "even" else rng.uniform(0.5, 1.5, count)
        t = torch.tensor(np.concatenate([[0], steps.cumsum()]))
        t = 2 * t / t[-1]
        x = torch.exp(torch.sin(3 * t))
        values, slopes = weights(t, t[:1], t[-1:], 6)
        errors.append(float((values @ (3 * torch.cos(3 * t) * x) + slopes @ x).abs()))
    assert np.log2(errors[0] / errors[-1]) / 3 > order
    uncorrected = (weights(t, t[:1], t[-1:], 6)[0].sum() - 2 * 1024 / 3003).abs()
    assert uncorrected < 1e-5, "the mean of phi is that of the beta function"


def test_the_whitened_residual_of_the_true_field_has_unit_variance_and_without_df_it_has_not():
    seen = members(SIGMA)
    assert abs(float(residual(Law(), seen).square().mean()) - 1) < 0.1
    assert float(residual(Law(), seen, half=20, kind=Blind).square().mean()) > 1.5
    assert float(residual(Law(factor=1.1), seen).square().mean()) > 1.3


def test_irregular_instants_have_it_too():
    assert abs(float(residual(Law(), members(SIGMA, "uneven", 401)).square().mean()) - 1) < 0.2


def test_units_of_states_and_time_change_nothing():
    plain, scaled = members(SIGMA, tasks=1), members(SIGMA, tasks=1, units=2.0**20, clock=1e-9)
    law = Law(units=2.0**20, clock=1e-9)
    law.dynamics = type("dynamics", (), {"derivative_std": 2.0**20 / 1e-9 * Law.dynamics.derivative_std})
    torch.testing.assert_close(residual(law, scaled), residual(Law(), plain), rtol=1e-6, atol=1e-6)


def test_a_parameter_of_the_field_is_estimated_better_with_more_samples():
    """Least squares in a factor of the force, whose error falls as one over the root of the samples."""
    errors = []
    for tasks in (10, 40):
        seen = members(SIGMA, tasks=tasks, count=101)
        factors = np.linspace(0.98, 1.02, 9)
        objective = Weak(None, 6, 1e-6).settled(Recordings(seen, torch.float64))
        renewed = objective.renewed(Law(), whole(seen, objective.reads, objective.window, objective.least), None)
        costs = torch.stack(
            [objective.residual(Law(factor=f), renewed, None).square().sum(-1) for f in factors], -1
        ).numpy()
        costs = costs.reshape(10, tasks // 10, -1).sum(1)  # ten groups of one member, or of four
        fits = [np.polyfit(factors, cost, 2) for cost in costs]
        errors.append(np.sqrt(np.mean([(-b / (2 * a) - 1) ** 2 for a, b, _ in fits])))
    assert 0.3 < errors[1] / errors[0] < 0.75


def test_a_trajectory_shorter_than_a_test_function_is_told():
    seen = members(SIGMA, tasks=1)
    objective = Weak(None, 6, 1e-6).settled(Recordings(seen, torch.float64))
    short = seen[0].trajectories[0]
    short = Trajectory(short.times[:8], short.states[:8], noise=SIGMA)
    with pytest.raises(ValueError, match=r"at least the .* samples of a window, got 8"):
        whole([Member((short,))], objective.reads, objective.window, objective.least)
