"""The noise of what is seen, estimated; and what smoothing makes of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.interpolate import make_smoothing_spline

from metastruct.data.crude_law import sensitivities
from metastruct.data.noise_level import differences, noise_level, noise_levels
from metastruct.data.smoothing import smoothed
from metastruct.data.trajectory import Member, Trajectory

SIGMA = np.array([0.02, 0.05])


def times(kind: str, count: int) -> np.ndarray:
    steps = np.full(count, 0.1) if kind == "even" else np.random.default_rng(1).uniform(0.03, 0.17, count)
    return steps.cumsum() - steps[0]


def member(kind: str, noise: np.ndarray, trajectories: int = 5, count: int = 150, units: float = 1.0) -> Member:
    rng, t = np.random.default_rng(0), times(kind, count)
    phases, sizes = rng.uniform(0, 6, trajectories), np.linspace(0.5, 1, trajectories)
    clean = [s * np.stack([np.sin(2 * t + a), 2 * np.cos(2 * t + a)], -1) for a, s in zip(phases, sizes, strict=True)]
    return Member(tuple(Trajectory(t, units * (x + noise * rng.standard_normal(x.shape))) for x in clean))


@pytest.mark.parametrize("kind", ["even", "uneven"])
def test_the_level_is_that_of_the_noise_and_nothing_without_it(kind):
    np.testing.assert_allclose(noise_levels([member(kind, SIGMA)])[0], SIGMA, rtol=0.1)
    assert (noise_levels([member(kind, 0 * SIGMA)])[0] < 1e-5).all()


@pytest.mark.parametrize("std", [0.001, 0.01, 0.2])
@pytest.mark.parametrize("kind", ["even", "uneven"])
def test_the_level_of_any_size_is_that_of_the_noise(std, kind):
    np.testing.assert_allclose(noise_level(member(kind, std, 10).trajectories), std, rtol=0.15)


@pytest.mark.parametrize("kind", ["even", "uneven"])
@pytest.mark.parametrize("size", [1.0, 100.0])
def test_outliers_of_any_size_do_not_move_the_level(kind, size):
    outlying = member(kind, SIGMA, 10)
    for one in outlying.trajectories:
        one.states[::40] += size
    np.testing.assert_allclose(noise_levels([outlying])[0], SIGMA, rtol=0.15)
    np.testing.assert_allclose(noise_level(outlying.trajectories), SIGMA, rtol=0.15)


def test_a_component_that_never_moves_has_no_noise():
    still = member("even", SIGMA)
    for one in still.trajectories:
        one.states[:, 1] = 3.0
    np.testing.assert_allclose(noise_level(still.trajectories), SIGMA * [1, 0], rtol=0.1)


def test_too_few_samples_tell_nothing():
    assert np.isnan(noise_level(member("even", SIGMA, 1, 4).trajectories)).all()


def test_the_level_has_the_units_of_the_states_and_ignores_those_of_time():
    one = member("uneven", SIGMA)
    scaled = Member(tuple(Trajectory(1e-9 * t.times, 2.0**20 * t.states) for t in one.trajectories))
    np.testing.assert_allclose(noise_levels([scaled]), 2.0**20 * noise_levels([one]), rtol=1e-9)


def test_what_is_known_is_not_estimated_and_what_is_too_short_has_the_level_of_all():
    noisy, short = member("even", SIGMA), member("even", SIGMA, 1, 4)
    known = Member(tuple(Trajectory(t.times, t.states, noise=3 * SIGMA) for t in noisy.trajectories))
    levels = noise_levels([noisy, short, known])
    np.testing.assert_array_equal(levels[2], 3 * SIGMA)
    np.testing.assert_allclose(levels[1], levels[0], rtol=1e-2)
    assert (noise_levels([short]) == 0).all()


def test_differences_of_noise_have_its_spread_and_polynomials_none():
    t = times("uneven", 4000)
    noise = np.random.default_rng(2).standard_normal((4000, 1))
    for order in (2, 6):
        np.testing.assert_allclose(differences(t, noise, order).std(), 1, rtol=0.1)
        assert np.abs(differences(t, t[:, None] ** (order - 1) / t[-1] ** (order - 1), order)).max() < 1e-9
        assert np.abs(differences(t[:9], t[:9, None] ** order, order)).max() > 1e-6


@pytest.mark.parametrize("kind", ["even", "uneven"])
def test_smoothing_brings_states_nearer_to_the_truth_and_leaves_them_alone_without_noise(kind):
    noisy, clean = member(kind, SIGMA), member(kind, 0 * SIGMA)
    errors = [
        np.sqrt(np.mean([(x - one.states) ** 2 for x, one in zip(states, clean.trajectories, strict=True)], (0, 1)))
        for states in (smoothed(noisy.trajectories, SIGMA), [one.states for one in noisy.trajectories])
    ]
    assert (errors[0] < 0.6 * errors[1]).all()
    for x, one in zip(smoothed(clean.trajectories, 0 * SIGMA), clean.trajectories, strict=True):
        np.testing.assert_array_equal(x, one.states)


def test_smoothing_is_the_smoothing_spline_of_scipy():
    one = member("uneven", SIGMA, 1).trajectories[0]
    from metastruct.data import smoothing

    strengths = smoothing._strengths([one], SIGMA)
    expected = [
        make_smoothing_spline(one.times, x, lam=s)(one.times) for x, s in zip(one.states.T, strengths, strict=True)
    ]
    np.testing.assert_allclose(smoothed([one], SIGMA)[0].T, expected, rtol=1e-6, atol=1e-8)


def test_a_crude_law_knows_how_a_linear_field_changes():
    one = member("even", 0 * SIGMA)
    for df in sensitivities(one, [t.states for t in one.trajectories]):
        np.testing.assert_allclose(df[5:-5].mean(0), [[0, 1], [-4, 0]], atol=0.2)


def test_derivatives_that_nobody_saw_have_no_noise_and_those_that_somebody_saw_have_theirs():
    """Members may be seen with and without; asking for what is not there ended a training."""
    alone = member("even", SIGMA)
    seen = Member(tuple(replace(one, derivatives=one.states) for one in member("even", SIGMA).trajectories))
    assert noise_levels([alone], "derivatives").tolist() == [[0.0, 0.0]]
    with_them, without = noise_levels([seen, alone], "derivatives")
    np.testing.assert_allclose(with_them, noise_levels([seen])[0])
    np.testing.assert_allclose(without, with_them)  # that of all members together
    assert (with_them > 0.5 * SIGMA).all()
