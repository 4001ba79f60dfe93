"""The weak form: quadrature on any instants, and a whitened residual of unit variance."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from metastruct.data.observations import Observations
from metastruct.data.recordings import Recordings
from metastruct.data.shots import whole
from metastruct.data.trajectory import Member, Trajectory
from metastruct.objectives import test_functions
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
            if kind == "bursts":  # of a third of the time
                t = np.linspace(0, span, 8, endpoint=False)[:, None] + np.linspace(0, span / 24, count // 8)
                t = t.flatten()
            start = rng.uniform(-0.7, 0.7, 2)
            path = solve_ivp(
                lambda _, x: [x[1], -2 * np.sin(2 * x[0])], (0, span), start, t_eval=t, rtol=1e-8, atol=1e-8
            )
            x = path.y.T + noise * rng.standard_normal((len(t), 2))
            trajectories.append(Trajectory(clock * t, units * x, noise=units * np.asarray(noise) * np.ones(2)))
        result.append(Member(tuple(trajectories)))
    return result


class Blind(Weak):
    """Without Df."""

    def _slopes(self, model, places, codes):
        return 0 * super()._slopes(model, places, codes)


def residual(law, seen, misfit=1e-6, half=None, kind=Weak):
    objective = kind(half, 6, misfit).settled(Recordings(seen, torch.float64))
    observations = whole(seen, objective.request)
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


def test_equally_spaced_instants_have_the_weights_of_the_general_rule(monkeypatch):
    t = 0.05 * torch.arange(41, dtype=torch.float64)[None]
    for order in (3, 4, 5, 6, 7):
        plain = weights(t, t[:, ::10][:, :-1], t[:, 10::10], order)
        with monkeypatch.context() as patch:
            patch.setattr(test_functions, "EVEN", -1.0)
            general = weights(t, t[:, ::10][:, :-1], t[:, 10::10], order)
        for one, other in zip(plain, general, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-13)


def test_the_whitened_residual_of_the_true_field_has_unit_variance_and_without_df_it_has_not():
    seen = members(SIGMA)
    assert abs(float(residual(Law(), seen).square().mean()) - 1) < 0.1
    assert float(residual(Law(), seen, half=20, kind=Blind).square().mean()) > 1.5
    assert float(residual(Law(factor=1.1), seen).square().mean()) > 1.3


def test_irregular_instants_have_it_too():
    assert abs(float(residual(Law(), members(SIGMA, "uneven", 401)).square().mean()) - 1) < 0.2


@pytest.mark.parametrize("kind", ["uneven", "bursts"])
def test_gaps_between_instants_are_no_misfit(kind, monkeypatch):
    """What a spline misses there is told; the trapezoidal rule at the instants, the control, errs by more."""
    for noise, misfit in ((SIGMA / 10, 1e-6), (0 * SIGMA, 3e-4)):
        assert float(residual(Law(), members(noise, kind, 80, span=6.0), misfit).square().mean()) < 1.5
    assert float(residual(Law(factor=1.1), members(SIGMA / 10, kind, 80, span=6.0)).square().mean()) > 1.5
    monkeypatch.setattr(Recordings, "steady", property(lambda recordings: recordings))
    assert float(residual(Law(), members(SIGMA / 10, kind, 80, span=6.0)).square().mean()) > 10


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
        renewed = objective.renewed(Law(), whole(seen, objective.request), None)
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
        whole([Member((short,))], objective.request)


def test_df_by_differences_is_that_of_the_law():
    x = torch.tensor([[[0.3, -0.2], [1.1, 0.4], [-0.8, 0.0]]], dtype=torch.float64)
    objective = Weak(1, 6, 1e-6)
    (df,) = objective._slopes(Law(), Observations(x), None).flatten(0, 1)
    force = -4 * torch.cos(2 * x[0, :, 0])
    torch.testing.assert_close(df[:, 0], torch.tensor([0.0, 1.0]).double().expand(3, -1), rtol=0, atol=1e-9)
    torch.testing.assert_close(df[:, 1, 0], force, rtol=1e-8, atol=1e-9)


def test_windows_that_fit_shorter_trajectories_leave_the_same_residuals():
    settled = Weak(None, 6, 1e-6).settled(Recordings(members(SIGMA, tasks=1), torch.float64))
    seen = members(SIGMA, tasks=2, count=61, span=3.0)
    values = []
    for objective in (settled, settled.fitting(61)):
        observations = whole(seen, objective.request)
        residuals = objective.residual(Law(), objective.renewed(Law(), observations, None), None)
        values.append(residuals[residuals != 0])
    assert settled.fitting(61).window < settled.window
    torch.testing.assert_close(*values, rtol=1e-8, atol=1e-8)
    assert settled.fitting(10**6) is settled


def test_a_glimpse_is_of_single_test_functions_within_the_trajectories():
    objective = Weak(None, 6, 1e-6).settled(Recordings(members(SIGMA, tasks=1), torch.float64))
    short = members(SIGMA, tasks=1, count=101)[0].part(slice(1))
    seen = [members(SIGMA, tasks=1)[0], short]
    observations = whole(seen, objective.request)
    single, few, share = objective.glimpse(observations, 8)
    assert (single.tests, single.window) == (1, objective.support)
    assert few.states.shape[1] % single.window == 0
    times = few.times.unflatten(1, (-1, single.window))[..., 0]
    assert (times[few.mask.unflatten(1, (-1, single.window)).all(-1)].diff(dim=-1) > 0).any()
    assert share[0] < share[1] < 1
    last = times[1][few.mask[1].unflatten(0, (-1, single.window)).all(-1)].max()
    assert last <= short.trajectories[0].times[-1]
    squares = single.residual(Law(), single.renewed(Law(), few, None), None).square()
    assert 0.2 < squares[squares != 0].mean() < 3


def test_the_share_of_noise_is_all_where_the_misfit_is_none_and_nothing_without_noise():
    shares = []
    for noise, misfit in ((SIGMA, 1e-6), (SIGMA, 0.1), (0 * SIGMA, 0.1)):
        objective = Weak(None, 6, misfit).settled(Recordings(members(SIGMA), torch.float64))
        observations = whole(members(noise), objective.request)
        renewed = objective.renewed(Law(), observations, None)
        residuals = objective.residual(Law(), renewed, None)
        shares.append(objective.noise_share(renewed, residuals)[residuals != 0])
    assert shares[0].min() > 0.9
    assert 0.01 < shares[1].mean() < 0.99
    assert shares[2].abs().max() == 0


def test_what_a_training_learns_from_noise_falls_with_the_observations_and_is_none_without():
    def error(noise, tasks):
        objective = Weak(10, 6, 1e-6).settled(Recordings(members(noise, tasks=tasks), torch.float64))
        return objective.learned(objective.numbers, None).field_error(2)

    one, loud, many = error(SIGMA, 4), error(2 * SIGMA, 4), error(SIGMA, 8)
    torch.testing.assert_close(loud / one, torch.full((2,), 4.0).double(), rtol=0.2, atol=0)
    torch.testing.assert_close(one / many, torch.full((2,), 2.0).double(), rtol=0.2, atol=0)
    assert error(0 * SIGMA, 4) is None


def test_the_misfit_that_whitens_is_that_of_the_error_bars():
    """Of exact data whitening reckons with the least misfit, and so do bars: their residuals leave no other."""
    objective = Weak(5, 6, 0.01)
    silent = torch.zeros(2, dtype=torch.float64)
    torch.testing.assert_close(objective.field_noise(silent, 2), torch.full((2,), 1e-4, dtype=torch.float64))
    seen = members(0 * SIGMA, tasks=1)
    law = Law(factor=1.01)  # off by less than that
    assert float(residual(law, seen, misfit=0.01, half=5).square().mean()) < 1
    assert float(residual(law, seen, misfit=0.001, half=5).square().mean()) > 1


def test_a_piece_that_is_shorter_than_a_test_function_is_left_out_where_its_member_has_longer_ones():
    (one,) = members(SIGMA, tasks=1)
    objective = Weak(None, 6, 1e-6).settled(Recordings([one], torch.float64))
    piece = one.trajectories[0].part(slice(5))
    both = Member((one.trajectories[1], piece, one.trajectories[2]))
    alone = Member((one.trajectories[1], one.trajectories[2]))
    states = [whole([each], objective.request).states for each in (both, alone)]
    torch.testing.assert_close(*states, rtol=0, atol=0)


def test_a_member_that_is_seen_too_little_narrows_no_test_function():
    """Down to half of their width they are as narrow as it asks for; beyond that it is refused by its name."""
    seen = members(0.1 * SIGMA, tasks=3)
    full = Weak(None, 6, 1e-6).settled(Recordings(seen, torch.float64)).half
    short = [Member((seen[0].trajectories[0].part(slice(2 * half + 1)),)) for half in (full - 1, 1)]
    halves = [Weak(None, 6, 1e-6).settled(Recordings([*seen, one], torch.float64)).half for one in short]
    assert halves == [full - 1, full]
    assert Weak(7, 6, 1e-6).settled(Recordings([*seen, short[1]], torch.float64)).half == 7
