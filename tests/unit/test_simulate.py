from __future__ import annotations

import copy
import time
from dataclasses import astuple, replace
from itertools import count

import numpy as np
import pytest

from metastruct.config.facts import options
from metastruct.config.schema import ConfigError
from metastruct.config.work import allowed
from metastruct.data.draws import drawn
from metastruct.data.simulate import integrate, simulate
from metastruct.data.stiffness import MEMBERS, UNSURE, bound_of, evaluations, trial
from metastruct.running.assembly import build_source, build_system
from metastruct.running.keys import in_a_key
from metastruct.running.run import Run
from metastruct.running.validation import validate
from metastruct.systems.driven_pendulum import DrivenPendulum
from metastruct.systems.mass_spring import MassSpring

SYSTEM = MassSpring({"m": [0.5, 2.0], "k": [0.5, 2.0], "q0": [-0.5, 0.5]})
SETTINGS = {"tasks": 3, "trajectories": 4, "horizon": 5.0, "points": 21, "tolerance": 1e-10, "seed": 0}


def test_a_simulation_has_the_size_and_the_times_asked_for():
    simulation = simulate(SYSTEM, 0, **SETTINGS)
    np.testing.assert_array_equal(simulation.times, np.linspace(0, 5, 21))
    assert simulation.states.shape == simulation.derivatives.shape == (3, 4, 21, 2)
    assert simulation.parameters.shape == (3, 3)
    assert simulation.inputs is None
    assert all(array.dtype == np.float64 for array in astuple(simulation)[:-1])


def test_members_hold_the_numbers_of_the_simulation():
    simulation = simulate(SYSTEM, 0, **SETTINGS)
    for task, member in enumerate(simulation.members):
        np.testing.assert_array_equal(member.parameters, simulation.parameters[task])
        for number, trajectory in enumerate(member.trajectories):
            np.testing.assert_array_equal(trajectory.times, simulation.times)
            np.testing.assert_array_equal(trajectory.states, simulation.states[task, number])
            np.testing.assert_array_equal(trajectory.derivatives, simulation.derivatives[task, number])
            assert trajectory.inputs is None


def test_derivatives_are_exact_from_the_law():
    simulation = simulate(SYSTEM, 0, **SETTINGS)
    for k, mu in enumerate(simulation.parameters):
        law = SYSTEM.vector_field(simulation.states[k], np.tile(mu, (4, 1)))
        np.testing.assert_allclose(simulation.derivatives[k], law, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("tolerance", [1e-6, 1e-8, 1e-10])
def test_error_is_of_the_size_of_the_stated_tolerance(tolerance):
    simulation = simulate(SYSTEM, 0, **SETTINGS | {"tolerance": tolerance, "tasks": 10})
    exact = SYSTEM.solution(simulation.states[:, :, 0], simulation.parameters, simulation.times)
    assert np.abs(simulation.states - exact).max() < 20 * tolerance


def test_a_fast_member_is_as_exact_beside_many_slow_ones_as_alone():
    mu = np.array([[1.0, 4.0, 0.0], *[[1.0, 0.01, 0.0]] * 49])
    starts = np.tile([1.0, 0.0], (50, 1, 1))
    times = np.linspace(0, 10, 11)
    error = np.abs(integrate(SYSTEM, starts, mu, times, 1e-8) - SYSTEM.solution(starts, mu, times))
    alone = np.abs(integrate(SYSTEM, starts[:1], mu[:1], times, 1e-8) - SYSTEM.solution(starts[:1], mu[:1], times))
    assert error[0].max() < 2 * alone.max()


def test_the_same_seed_gives_the_same_numbers():
    for ours, theirs in zip(*(astuple(simulate(SYSTEM, 0, **SETTINGS)) for _ in range(2)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_another_seed_and_another_split_give_other_members_and_starts():
    first, split, seed = simulate(SYSTEM, 0, **SETTINGS), simulate(SYSTEM, 1, **SETTINGS), None
    seed = simulate(SYSTEM, 0, **SETTINGS | {"seed": 1})
    for other in (split, seed):
        assert not np.isclose(first.parameters, other.parameters).any()
        assert not np.isclose(first.states[:, :, 0], other.states[:, :, 0]).any()


def test_fewer_tasks_are_the_first_of_more():
    few, many = simulate(SYSTEM, 0, **SETTINGS), simulate(SYSTEM, 0, **SETTINGS | {"tasks": 5})
    np.testing.assert_array_equal(many.parameters[:3], few.parameters)
    np.testing.assert_array_equal(many.states[:3, :, 0], few.states[:, :, 0])
    np.testing.assert_allclose(many.states[:3], few.states, atol=1e-8)


def test_a_law_that_leaves_the_finite_numbers_is_an_error_that_names_the_system():
    runaway = copy.copy(SYSTEM)
    runaway.vector_field = lambda x, mu: x**2
    with pytest.raises(ValueError, match=r"mass_spring stopped at t = 0\.\d"), np.errstate(all="ignore"):
        integrate(runaway, np.full((1, 1, 2), 2.0), np.ones((1, 3)), np.linspace(0, 5, 11), 1e-10)


def test_a_law_that_is_not_finite_at_a_start_is_refused_and_looks_for_no_step_for_ever():
    lawless = copy.copy(SYSTEM)
    lawless.vector_field = lambda x, mu: np.where(x > 1, np.nan, 0.0)
    starts = np.array([[[0.0, 0.0], [0.0, 0.5]], [[0.0, 0.0], [2.0, 0.0]]])
    with pytest.raises(ValueError, match=r"law of mass_spring is not finite at the start \[2\.0, 0\.0\] .*m = 3\.00"):
        integrate(lawless, starts, np.array([[1.0, 1, 0], [3.0, 1, 0]]), np.linspace(0, 1, 3), 1e-8)
    assert np.isfinite(integrate(lawless, starts[:1], np.ones((1, 3)), np.linspace(0, 1, 3), 1e-8)).all()


def test_an_integrator_that_gives_up_in_its_first_step_says_so():
    steep = copy.copy(SYSTEM)
    steep.vector_field = lambda x, mu: np.where(x == 0, 1.0, np.nan)
    with pytest.raises(ValueError, match="mass_spring stopped at t = 0:"):
        integrate(steep, np.zeros((1, 1, 2)), np.ones((1, 3)), np.linspace(0, 1, 3), 1e-8)


@pytest.mark.parametrize(("falls", "rises", "evaluations"), [(1e8, 1.0, "200"), (1.0, 1e8, "3,000")])
def test_steps_without_end_are_bounded_and_the_member_is_named(monkeypatch, falls, rises, evaluations):
    """On the edge of its domain a law may turn round at every step, which no accuracy resolves and no failure ends."""
    monkeypatch.setattr("metastruct.data.simulate.MOST", 3_000)
    edgy = copy.copy(SYSTEM)
    edgy.vector_field = lambda x, mu: np.where(x > 0, -falls, rises) * (mu[:, None, :1] > 2)
    starts, mu = np.full((2, 1, 2), 0.5), np.array([[1.0, 1, 0], [3.0, 1, 0]])
    with pytest.raises(ValueError, match=rf"mass_spring took {evaluations} evaluations .* the member m = 3\.00.* from"):
        integrate(edgy, starts, mu, np.linspace(0, 1, 3), 1e-8)
    assert np.isfinite(integrate(edgy, starts[:1], mu[:1], np.linspace(0, 5, 3), 1e-8)).all()


STIFF = {
    "system=damped_oscillator system.parameters.gamma=[1e6,1e6]": "gamma = 1000000.00",
    "system=mass_spring system.parameters.k=[1e12,1e12]": "k = 1000000000000.00",
    "system=mass_spring system.parameters.k=[1e6,1e6]": "k = 1000000.00",  # which is stable in a few steps
    "system=van_der_pol system.parameters.mu=[1e5,1e5]": "mu = 100000.00",
    "system=driven_pendulum system.parameters.gamma=[1e7,1e7]": "gamma = 10000000.00",
    "data.horizon=100000 integrator.step_size=1": "data.horizon = 100000",
    "data.horizon=3600 integrator.step_size=1": "data.horizon = 3600",
    "data.horizon=2100 integrator.step_size=1": "data.horizon = 2100",
}


@pytest.mark.parametrize("words", STIFF)
def test_a_law_that_is_too_fast_for_the_integrator_is_refused_before_it_is_asked_for_long(composed, words):
    cfg = composed(*words.split(), "logger=none")
    began = time.process_time()
    words_of_it = r"^simulating .* would take \de\+\d+ evaluations of its law, at least [\d,]+ s, .*raise trainer.work$"
    with pytest.raises(ConfigError, match=words_of_it) as refused:
        validate(cfg)
    assert STIFF[words] in str(refused.value)
    assert time.process_time() - began < 1


@pytest.mark.few(6)
@pytest.mark.parametrize("name", options("system"))
def test_the_least_number_of_evaluations_is_no_more_than_there_are(composed, name):
    cfg = composed(f"system={name}", "logger=none")
    system, asked = build_system(cfg), count(0)
    members, starts = drawn(system, 1, MEMBERS * system.families, 1, cfg.data.seed)
    bound = bound_of(1e-6, starts.size)
    least = np.quantile(evaluations(system, starts, members, cfg.data.horizon, bound)[0], 0.5)
    assert least > 0
    if system.input_names:
        return
    law = system.vector_field
    system.vector_field = lambda x, mu: (next(asked), law(x, mu))[1]
    integrate(system, starts, members, np.array([0.0, cfg.data.horizon]), 1e-6)
    assert least < next(asked)


@pytest.mark.parametrize("name", ["mass_spring", "damped_chain", "bodies"])
def test_a_trial_tells_the_number_of_evaluations_but_for_what_dies_away(composed, name):
    cfg = composed(f"system={name}", "logger=none")
    system, asked = build_system(cfg), count(0)
    members, starts = drawn(system, 1, MEMBERS * system.families, 1, cfg.data.seed)
    horizon, bound = 4 * cfg.data.horizon, 1e-9
    share = np.quantile(evaluations(system, starts, members, horizon, bound)[2], 0.5)
    expected = trial(system, starts, members, horizon, bound, float(share))
    law = system.vector_field
    system.vector_field = lambda x, mu: (next(asked), law(x, mu))[1]
    integrate(system, starts, members, np.array([0.0, horizon]), bound * starts.size**0.5)
    assert 0.5 < expected / next(asked) < UNSURE


def test_who_waits_may_raise_the_limit_of_a_simulation(composed, tmp_path, monkeypatch):
    monkeypatch.setattr("metastruct.data.stiffness.MOST", 500)
    monkeypatch.setattr("metastruct.data.simulate.MOST", 500)
    words = "logger=none", "system=mass_spring", "data.horizon=40", f"outputs={tmp_path}"
    with pytest.raises(ConfigError, match=r"of which 500 are made: .*, or raise trainer\.work$"):
        validate(composed(*words))
    raised = composed(*words, "trainer.work=20", "data.train_tasks=2", "data.test_tasks=1")
    validate(raised)
    config = Run.of(raised).config
    assert len(build_source(config, print).train) == 2
    with pytest.raises(ConfigError, match=r"took .* evaluations .*raise trainer\.work$"):
        build_source(
            replace(config, seed=1, data=config.data | {"seed": 1}, trainer=replace(config.trainer, work=1.0)), print
        )
    assert [in_a_key("trainer.work"), in_a_key("trainer.steps")] == [False, True]


def test_who_waits_may_raise_the_limit_of_driven_steps(monkeypatch):
    monkeypatch.setattr("metastruct.data.simulate.FINEST", 1)
    driven = DrivenPendulum(parameters={"m": [1.0, 1.0], "l": [1.0, 1.0], "gamma": [0.1, 0.1]})
    settings = SETTINGS | {"tasks": 1, "trajectories": 1, "points": 3}
    with pytest.raises(ValueError, match=r"where 1 steps to the next instant are not enough; .*raise trainer\.work$"):
        simulate(driven, 1, **settings)
    with allowed(1024):
        assert np.isfinite(simulate(driven, 1, **settings).states).all()
