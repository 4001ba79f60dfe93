"""The noise of trajectories is told from their motion."""

from __future__ import annotations

import numpy as np
import pytest

from metastruct.data.family import Family
from metastruct.data.noise_estimate import noise_level
from metastruct.data.trajectory import Trajectory


def noisy(std: float, rate: float = 20.0, even: bool = True, count: int = 20) -> list[Trajectory]:
    """Oscillations of a period of about six seconds, ten seconds long, in components of very different sizes."""
    rng, every = np.random.default_rng(0), []
    for _ in range(count):
        t = np.linspace(0, 10, round(10 * rate)) if even else np.sort(rng.uniform(0, 10, round(10 * rate)))
        x = np.stack([np.sin(t + rng.uniform(0, 6)), 1e6 * np.cos(1.3 * t)], -1)
        every.append(Trajectory(t, x + std * np.array([1, 1e6]) * rng.standard_normal(x.shape)))
    return every


@pytest.mark.parametrize("std", [0.001, 0.01, 0.05, 0.2])
@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("rate", [5.0, 20.0])
def test_the_level_is_that_of_the_noise(std, even, rate):
    np.testing.assert_allclose(noise_level(noisy(std, rate, even)), [std, std * 1e6], rtol=0.2)


def test_without_noise_there_is_next_to_none():
    assert (noise_level(noisy(0.0)) < np.array([1e-6, 1.0])).all()


def test_few_outliers_do_not_move_it():
    every = noisy(0.01)
    for one in every:
        one.states[::40] += 5
    np.testing.assert_allclose(noise_level(every), [0.01, 1e4], rtol=0.35)


def test_too_few_samples_tell_nothing():
    few = Family.from_arrays([[([0, 1, 2], [[1.0], [2], [3]])]]).members[0].trajectories
    assert np.isnan(noise_level(few)).all()
