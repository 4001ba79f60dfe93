from __future__ import annotations

import numpy as np
import pytest

from metastruct.data.noise import noisy
from metastruct.data.shots import Request
from metastruct.data.simulate import Simulation
from metastruct.running.assembly import build_source

TASKS, TRAJECTORIES, TIMES = 6, 5, 400
STD = (np.array([2.0, 0.5]), np.array([1.0, 3.0]))


@pytest.fixture(scope="module")
def clean() -> Simulation:
    states = np.random.default_rng(0).normal(size=(TASKS, TRAJECTORIES, TIMES, 2)) * STD[0]
    return Simulation(np.linspace(0, 1, TIMES), states, states / STD[0] * STD[1], np.zeros((TASKS, 1)))


def errors(clean: Simulation, noisy: Simulation) -> tuple[np.ndarray, np.ndarray]:
    return noisy.states - clean.states, noisy.derivatives - clean.derivatives


def test_the_noise_has_the_spread_that_was_asked_for(clean):
    fraction = 0.1
    for error, std in zip(errors(clean, noisy(clean, STD, fraction, 0, 0, TRAJECTORIES)), STD, strict=True):
        np.testing.assert_allclose(error.reshape(-1, 2).std(axis=0), fraction * std, rtol=0.03)
        np.testing.assert_allclose(error.reshape(-1, 2).mean(axis=0), 0, atol=0.005 * fraction * 10)


def test_errors_of_states_and_derivatives_are_independent(clean):
    states, derivatives = errors(clean, noisy(clean, STD, 0.1, 0, 0, TRAJECTORIES))
    assert abs(np.corrcoef(states.ravel(), derivatives.ravel())[0, 1]) < 0.02


def test_without_noise_nothing_changes(clean):
    assert noisy(clean, STD, 0.0, 0, 0, TRAJECTORIES) is clean


def test_trajectories_beyond_the_support_stay_clean(clean):
    for error in errors(clean, noisy(clean, STD, 0.1, 0, 1, 2)):
        assert (error[:, 2:] == 0).all()
        assert (error[:, :2] != 0).all()


def test_fewer_tasks_see_the_errors_of_more(clean):
    fewer = Simulation(clean.times, clean.states[:2, :3], clean.derivatives[:2, :3], clean.parameters[:2])
    part, whole = noisy(fewer, STD, 0.1, 0, 0, 3), noisy(clean, STD, 0.1, 0, 0, TRAJECTORIES)
    np.testing.assert_array_equal(part.states, whole.states[:2, :3])


@pytest.mark.parametrize("other", [{"seed": 1}, {"split": 1}])
def test_every_seed_and_split_has_its_own_errors(clean, other):
    settings = {"std": STD, "fraction": 0.1, "seed": 0, "split": 0, "trajectories": TRAJECTORIES}
    assert not np.array_equal(noisy(clean, **settings).states, noisy(clean, **settings | other).states)


def test_a_run_sees_noisy_training_and_support_data_and_a_clean_query(composed, tmp_path):
    words = ("data.train_tasks=3", "data.test_tasks=2", "data.points=20", f"outputs={tmp_path}")
    clean, noisy = (build_source(composed(*words, f"data.noise={noise}"), print) for noise in (0, 0.05))
    seen, truth = (source.recordings().parts for source in (noisy, clean))
    for part in ("states", "derivatives"):
        assert 0.03 < ((seen[part] - truth[part]) / truth[part].std(0)).std() < 0.07
    asked = (10, 0, Request(("states", "derivatives")))
    assert (noisy.support(*asked).states != clean.support(*asked).states).all()
    np.testing.assert_array_equal(noisy.query().states, clean.query().states)


def test_held_out_members_are_adapted_to_noise_and_measured_against_the_truth(composed, tmp_path):
    words = ("data.train_tasks=3", "data.test_tasks=2", "data.points=20", f"outputs={tmp_path}")
    noisy, clean = (build_source(composed(*words, f"data.noise={noise}"), print).held_out(1) for noise in (0.05, 0))
    np.testing.assert_array_equal(noisy.query().states, clean.query().states)
    asked = (10, 0, Request(("states",)))
    assert (noisy.support(*asked).states != clean.support(*asked).states).all()
    assert (noisy.recordings().parts["states"] != clean.recordings().parts["states"]).any()
