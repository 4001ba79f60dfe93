from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from metastruct.evaluation.errors import component_errors, diverged, relative_error
from metastruct.evaluation.metrics.energy_drift import energy_drift
from metastruct.evaluation.metrics.entropy_production import entropy_production
from metastruct.evaluation.metrics.ssim import field_ssim


@pytest.fixture
def fields():
    """Two smooth fields `[tasks, side, side, state]`, components of very different range."""
    u = np.linspace(-1, 1, 50)
    q, p = np.meshgrid(u, u, indexing="ij")
    return np.stack([np.stack([p, -100 * np.sin(3 * q)], -1), np.stack([p**3 + q, 0.01 * q * p], -1)])


def noise(like, size, seed=0):
    spread = np.ptp(like, axis=(1, 2), keepdims=True)
    return like + size * spread * np.random.default_rng(seed).standard_normal(like.shape)


def test_relative_error_is_the_norm_of_the_difference_over_the_norm_of_the_truth():
    true = np.array([[[3.0, 0.0], [0.0, 4.0]], [[1.0, 1.0], [1.0, 1.0]]])
    learned = np.array([[[3.0, 0.0], [0.0, 5.0]], [[1.0, 1.0], [1.0, -1.0]]])
    np.testing.assert_allclose(relative_error(learned, true), [1 / 5, 2 / 2], rtol=1e-15)


def test_relative_error_is_zero_for_equals_one_for_nothing_and_free_of_the_scale(fields):
    np.testing.assert_array_equal(relative_error(fields, fields), [0, 0])
    np.testing.assert_allclose(relative_error(0 * fields, fields), [1, 1])
    learned = noise(fields, 0.1)
    np.testing.assert_allclose(relative_error(1e6 * learned, 1e6 * fields), relative_error(learned, fields))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_relative_error_of_a_rollout_that_left_is_nan_for_that_task_alone(bad):
    true = np.ones((3, 4, 5, 2))
    learned = 1.1 * true
    learned[1, 2, 3, 0] = bad
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        error = relative_error(learned, true)
    assert np.isnan(error).tolist() == [False, True, False]
    np.testing.assert_allclose(error[[0, 2]], 0.1)


def test_diverged_is_what_is_not_finite_or_above_ten():
    error = np.array([0.0, 1.0, 10.0, np.nextafter(10.0, 11), 1e9, np.inf, np.nan])
    assert diverged(error).tolist() == [False, False, False, True, True, True, True]


def test_ssim_of_equal_fields_is_one(fields):
    np.testing.assert_allclose(field_ssim(fields, fields), [1, 1], rtol=1e-12)


def test_ssim_falls_with_noise(fields):
    values = np.stack([field_ssim(noise(fields, size), fields) for size in (0, 0.01, 0.03, 0.1, 0.3, 1)])
    assert (np.diff(values, axis=0) < 0).all()
    assert (values[-1] < 0.2).all()


def test_ssim_does_not_depend_on_the_unit_of_a_component(fields):
    learned, units = noise(fields, 0.1), np.array([1e-3, 1e4])
    np.testing.assert_allclose(field_ssim(units * learned, units * fields), field_ssim(learned, fields), rtol=1e-9)


def test_ssim_is_one_value_a_task_and_the_mean_over_components(fields):
    learned = noise(fields, 0.1)
    values = field_ssim(learned, fields)
    assert values.shape == (2,)
    for task in range(2):
        alone = [
            field_ssim(learned[task : task + 1, ..., i : i + 1], fields[task : task + 1, ..., i : i + 1])
            for i in (0, 1)
        ]
        np.testing.assert_allclose(values[task], np.mean(alone), rtol=1e-12)


def test_ssim_is_the_formula_of_wang_et_al(fields):
    # window of 11 x 11, sigma 1.5, the image mirrored at its border
    def smooth(image):
        return gaussian_filter(image, 1.5, radius=5, mode="mirror")

    learned = noise(fields, 0.1)
    x, y = learned[0, ..., 1], fields[0, ..., 1]
    c1, c2 = (0.01 * np.ptp(y)) ** 2, (0.03 * np.ptp(y)) ** 2
    mx, my = smooth(x), smooth(y)
    vx, vy, cov = smooth(x * x) - mx**2, smooth(y * y) - my**2, smooth(x * y) - mx * my
    formula = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    np.testing.assert_allclose(field_ssim(learned[:1, ..., 1:], fields[:1, ..., 1:]), formula.mean(), rtol=1e-10)


def test_ssim_of_a_constant_component_is_finite(fields):
    flat = np.full_like(fields, 2.0)
    np.testing.assert_allclose(field_ssim(flat, flat), [1, 1])
    assert np.isfinite(field_ssim(noise(fields, 0.1), flat)).all()


def test_energy_drift_is_the_largest_departure_from_the_start_over_the_spread():
    energy = np.array([[[1.0, 1.5, 0.8], [2.0, 2.0, 2.0]], [[0.0, 0.0, 0.0], [5.0, 2.0, 4.0]]])
    np.testing.assert_allclose(energy_drift(energy, np.array([10.0, 2.0])), [0.05, 1.5])


def test_energy_drift_does_not_see_the_free_constant_nor_the_unit_of_the_energy():
    energy = np.random.default_rng(0).random((3, 4, 20))
    spread = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(energy_drift(7 * energy + 100, 7 * spread), energy_drift(energy, spread), rtol=1e-10)


def test_energy_drift_of_a_rollout_that_left_is_not_finite_for_that_task_alone():
    energy = np.ones((3, 2, 5))
    energy[0, 1, 3:], energy[1, 0, 3:] = np.nan, np.inf
    assert np.isfinite(energy_drift(energy, np.ones(3))).tolist() == [False, False, True]


TIMES = np.arange(20.0)


def test_entropy_production_does_not_take_the_end_of_a_trajectory_for_a_rest():
    """An entropy that falls nowhere and rises everywhere; the first trajectory ends after three instants."""
    entropy = np.array([[[0.0, 1.0, 3.0, 3.0], [1.0, 1.5, 5.0, 6.0]]])
    times = np.array([[[0.0, 1.0, 2.0, 2.0], [0.0, 1.0, 2.0, 3.0]]])
    np.testing.assert_allclose(entropy_production(entropy, times), [0.5 / 6])
    assert entropy_production(entropy, TIMES[:4]) == 0


def test_entropy_production_is_the_least_change_between_two_times_over_the_range():
    entropy = np.array([[[0.0, 1.0, 3.0], [1.0, 1.5, 5.0]], [[0.0, 2.0, 1.0], [0.0, 1.0, 2.0]]])
    np.testing.assert_allclose(entropy_production(entropy, TIMES[: entropy.shape[-1]]), [0.5 / 5, -1 / 2])


def test_entropy_production_does_not_see_the_free_constant_nor_the_unit_of_the_entropy():
    entropy = np.random.default_rng(0).random((3, 4, 20))
    np.testing.assert_allclose(
        entropy_production(7 * entropy + 100, TIMES[: entropy.shape[-1]]),
        entropy_production(entropy, TIMES[: entropy.shape[-1]]),
        rtol=1e-10,
    )


def test_entropy_production_of_a_rollout_that_left_is_not_finite_for_that_task_alone():
    entropy = np.random.default_rng(0).random((3, 2, 5))
    entropy[0, 1, 3:], entropy[1, 0, 3:] = np.nan, np.inf
    assert np.isfinite(entropy_production(entropy, TIMES[: entropy.shape[-1]])).tolist() == [False, False, True]


def test_a_component_that_vanishes_has_no_relative_error():
    true = np.random.default_rng(0).random((2, 6, 6, 3))
    true[0, ..., 1] *= 1e-17
    errors = component_errors(1.1 * true, true)
    assert errors.shape == (2, 3)
    assert np.isnan(errors).tolist() == [[False, True, False], [False, False, False]]
    np.testing.assert_allclose(errors[~np.isnan(errors)], 0.1)


def test_ssim_of_a_component_that_vanishes_is_taken_on_the_scale_of_the_widest(fields):
    true = fields.copy()
    true[..., 1] = 1e-17 * fields[..., 1]
    learned = true.copy()
    learned[..., 1] = 1e-4 * fields[..., 0]
    assert field_ssim(learned, true).min() > 0.99
