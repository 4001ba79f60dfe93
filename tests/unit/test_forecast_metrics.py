"""What the metrics of measured data say of members whose errors are known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from metastruct.evaluation.metrics.forecast_error import ForecastError
from metastruct.evaluation.metrics.residual_whiteness import LAGS, ResidualWhiteness, ljung_box


def adapted(rollouts, query, **more) -> SimpleNamespace:
    times = np.linspace(0, 1, query.shape[2])
    source = SimpleNamespace(state_names=("q", "p"))
    return SimpleNamespace(rollouts=rollouts, query=query, times=times, source=source, **more)


def test_an_error_that_grows_is_seen_by_longer_horizons_alone():
    query = np.zeros((2, 3, 101, 2))
    rollouts = query + np.array([2.0, 0.0]) * (np.linspace(0, 1, 101) > 0.5)[:, None]
    member = adapted(rollouts, query, spread=np.array([2.0, 7.0]), noise=np.array([0.5, 0.1]))
    short, whole = (ForecastError(horizon, "spread").measure(member) for horizon in (0.4, 1.0))
    np.testing.assert_array_equal(short[""], 0)
    np.testing.assert_allclose(whole["q"], np.sqrt(0.5))
    np.testing.assert_allclose(whole[""], 0.5)
    np.testing.assert_allclose(ForecastError(1.0, "noise").measure(member)["q"], 4 * np.sqrt(0.5))


@pytest.mark.parametrize(
    ("noise", "scored"),
    [([0.02, 0.05], {"", "q", "p"}), ([0.02, 1e-7], {"", "q"}), ([1e-7, 3e-5], set()), ([np.nan, np.nan], set())],
)
def test_exact_observations_are_no_unit_of_an_error(noise, scored):
    query = np.zeros((2, 3, 11, 2))
    member = adapted(query + 0.1, query, spread=np.ones(2), noise=np.array(noise))
    measured = ForecastError(1.0, "noise").measure(member)
    assert {*measured} == scored
    assert max((values.max() for values in measured.values()), default=0) <= 5
    assert {*ForecastError(1.0, "spread").measure(member)} == {"", "q", "p"}


def test_what_was_not_seen_does_not_count_and_what_left_the_finite_numbers_does():
    query, rollouts = np.zeros((2, 2, 11, 2)), np.ones((2, 2, 11, 2))
    query[0, 1, 4:], rollouts[0, 1, 4:] = np.nan, np.inf
    rollouts[1, 0, 9:] = np.nan
    measured = ForecastError(1.0, "spread").measure(adapted(rollouts, query, spread=np.ones(2)))[""]
    assert measured[0] == 1
    assert np.isnan(measured[1])


def test_ljung_box_of_noise_is_chi_square_and_that_of_motion_is_not():
    rng = np.random.default_rng(0)
    ratios = np.array([ljung_box(rng.normal(size=(200, 2)), np.ones(2)) for _ in range(300)])
    assert stats.kstest(LAGS * ratios.ravel(), stats.chi2(LAGS).cdf).pvalue > 0.01
    waves = np.sin(0.3 * np.arange(200))[:, None] + rng.normal(size=(200, 1))
    assert ljung_box(waves, np.zeros(1)) > 5


@pytest.mark.parametrize("size", [1e-3, 1.0])
def test_a_misfit_counts_as_far_as_it_is_seen_above_the_noise(size):
    motion = size * np.sin(0.3 * np.arange(200))[None, None, :, None] * np.ones(2)
    member = adapted(motion, motion, residuals=motion, noise=np.ones(2))
    assert (ResidualWhiteness().measure(member)[""] > 1) == (size == 1)
