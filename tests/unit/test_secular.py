"""The secular slope of series whose drift is known, and what a line through the samples would make of them."""

from __future__ import annotations

import numpy as np
import pytest

from metastruct.paper.long_horizon.secular import block_lengths, block_means, secular_slope, turns_per_sample

STEPS, PERIODS, SERIES = 20, 100, 40
SAMPLES = STEPS * PERIODS + 1
GENERATOR = np.random.default_rng(0)
# the numerical orbit is a little slower than its STEPS a period, by an amount of its own for each series
TURNS = (1 - np.linspace(0.001, 0.006, SERIES)) / STEPS
PHASE = 2 * np.pi * (np.arange(SAMPLES) * TURNS[:, None] + np.linspace(0, 1, SERIES)[:, None])
OSCILLATION = 1e-2 * (np.cos(PHASE) + 0.4 * np.sin(2 * PHASE) + 0.1 * np.cos(3 * PHASE))
PLACE = np.arange(SAMPLES) * TURNS[:, None]  # in turns


def naive(values):
    """Slope per sample and its error, from a line through all samples taken as independent."""
    t = np.arange(values.shape[-1]) - (values.shape[-1] - 1) / 2
    slope = (values * t).sum(-1) / (t**2).sum()
    rest = values - values.mean(-1, keepdims=True) - slope[..., None] * t
    return slope, np.sqrt((rest**2).sum(-1) / (len(t) - 2) / (t**2).sum())


def test_an_oscillation_has_no_slope():
    slope, error = secular_slope(OSCILLATION, TURNS)
    assert np.abs(slope).max() < 1e-10
    assert error.max() < 1e-9
    assert np.abs(naive(OSCILLATION)[0]).max() * STEPS > 1e-6


@pytest.mark.parametrize("drift", [1e-8, -1e-5])
def test_a_drift_under_an_oscillation_is_found_and_told_from_zero(drift):
    slope, error = secular_slope(OSCILLATION + drift * PLACE, TURNS)
    np.testing.assert_allclose(slope, drift, rtol=2e-2)
    assert (np.abs(slope) > 5 * error).all()


def test_error_covers_the_slopes_of_random_walks_where_that_of_a_line_does_not():
    walks = np.random.default_rng(1).standard_normal((SERIES, SAMPLES)).cumsum(-1) * 1e-16
    slope, error = secular_slope(walks, TURNS)
    inside = (np.abs(slope) <= 2 * error).mean()
    line, too_small = naive(walks)
    assert inside > 0.85
    assert (np.abs(line) <= 2 * too_small).mean() < 0.3
    assert np.abs(slope).mean() > 0.3 * error.mean()  # and it is not merely large


def test_error_covers_the_slopes_of_independent_noise():
    noise = np.random.default_rng(2).standard_normal((SERIES, SAMPLES))
    slope, error = secular_slope(noise, TURNS)
    assert (np.abs(slope) <= 2 * error).mean() > 0.9


def aliased(samples_per_turn):
    """An energy of an anharmonic orbit sampled so often: the 21st harmonic looks like a slow oscillation."""
    place = np.arange(2100) / samples_per_turn[:, None]
    return 1e-3 * np.cos(2 * np.pi * place) + 1e-9 * np.cos(2 * np.pi * 21 * place), 1 / samples_per_turn


def test_a_harmonic_that_samples_cannot_tell_from_a_slow_one_is_no_slope():
    values, turns = aliased(20.6 + np.linspace(-0.004, 0.004, 40))  # 103 samples in five turns
    assert (block_lengths(turns, 5) != 5).all()
    slope, error = secular_slope(values, turns)
    assert (np.abs(slope) <= 2 * error).all()
    fixed = block_means(values, turns, np.full(40, 5))
    creeping = np.polynomial.polynomial.polyfit(np.arange(fixed.shape[-1]), fixed.T, 1)[1] / 5
    spread = np.diff(fixed, axis=-1).std(axis=-1, ddof=1) * np.sqrt(6 / (5 * fixed.shape[-1])) / 5
    assert (np.abs(creeping) > 2 * spread).mean() > 0.5  # blocks of five turns took it for one


def test_turns_are_counted_whatever_the_shape_and_the_place_of_the_orbit():
    orbit = np.stack([3 + 0.2 * np.cos(PHASE) + 0.03 * np.cos(2 * PHASE), 50 * np.sin(PHASE)], axis=-1)
    np.testing.assert_allclose(turns_per_sample(orbit), TURNS, rtol=1e-7)
    np.testing.assert_allclose(turns_per_sample(orbit[..., ::-1]), TURNS, rtol=1e-7)


def test_block_means_keep_a_constant_and_refuse_a_series_that_is_too_short():
    np.testing.assert_allclose(block_means(np.full((1, 500), 2.5), np.array([0.05]), np.array([5])), 2.5)
    with pytest.raises(ValueError, match="at least three blocks of 5 turns, got 2"):
        block_means(np.zeros((1, 201)), np.array([0.05]), np.array([5]))
