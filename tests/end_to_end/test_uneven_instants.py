"""Springs that somebody measured at instants as they came, from the fit to the forecast."""

from __future__ import annotations

import numpy as np
import pytest

import metastruct

SPAN, COUNT, NOISE = 6.0, 60, 0.01
SMALL = {"net.width": 16, "trainer.threads": 1}


def spring(k, rng, even=False):
    """q'' = -k q at random instants, or at even ones, with noise, from a random start."""
    t = np.sort(np.concatenate([[0.0, SPAN], rng.uniform(0, SPAN, COUNT - 2)]))
    t = np.linspace(0.0, SPAN, COUNT) if even else t
    (a, b), omega = rng.uniform(0.5, 1.0, 2), np.sqrt(k)
    q, p = a * np.cos(omega * t) + b * np.sin(omega * t), omega * (b * np.cos(omega * t) - a * np.sin(omega * t))
    states = np.stack([q, p], -1)
    return t, states + NOISE * rng.standard_normal(states.shape), states


@pytest.fixture(scope="module")
def family():
    rng = np.random.default_rng(0)
    members = [[spring(k, rng)[:2] for _ in range(3)] for k in np.linspace(1, 4, 8)]
    return metastruct.Family.from_arrays(members, states=["q", "p"])


@pytest.mark.filterwarnings("error:the training left")
def test_a_member_that_was_seen_at_random_instants_is_forecast_within_its_noise(family, tmp_path):
    """Quadrature at the instants themselves left 45 to 84 % of the motion."""
    model = metastruct.fit(family, "hamiltonian", "svd", 2, 800, outputs=tmp_path, progress=False, settings=SMALL)
    rng = np.random.default_rng(1)
    errors = []
    for k in (1.5, 2.5, 3.5):
        t, seen, _ = spring(k, rng)
        member = model.adapt(seen, times=t)
        times, _, truth = spring(k, rng)
        forecast = member.rollout(truth[0], times)
        errors.append(np.linalg.norm(forecast - truth) / np.linalg.norm(truth))

    assert max(errors) < 0.1


def test_a_training_that_explains_nothing_says_so(family, tmp_path, capsys):
    with pytest.warns(UserWarning, match="of what its own members do unexplained, noise apart; give it more steps"):
        metastruct.fit(family, "hamiltonian", "svd", 2, 1, outputs=tmp_path, settings=SMALL)
    assert "unexplained" in capsys.readouterr().out


def test_outliers_are_told_and_set_aside_where_that_is_asked_for(family, tmp_path):
    t, seen, _ = spring(2.0, np.random.default_rng(2), even=True)
    seen[[20, 40]] += 1.0
    settings = SMALL | {"data.outliers": 6}
    cleaning, plain = (
        metastruct.fit(family, "hamiltonian", "svd", 2, 20, outputs=tmp_path, progress=False, settings=each)
        for each in (settings, SMALL)
    )
    with pytest.warns(UserWarning, match="2 of 60 observations look like outliers: at t = "):
        plain.adapt(seen, times=t)
    with pytest.warns(UserWarning, match="2 of 60 observations are outliers and set aside, at t ="):
        without = cleaning.adapt(seen, times=t)
    left = np.delete(np.arange(COUNT), [20, 40])
    np.testing.assert_array_equal(without.code, cleaning.adapt(seen[left], times=t[left]).code)
