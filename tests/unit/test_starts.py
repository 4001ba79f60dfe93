from __future__ import annotations

import copy
import hashlib
import time

import numpy as np
import pytest

from metastruct.config.schema import ConfigError, composed, groups
from metastruct.data.simulate import simulate
from metastruct.evaluation.grid import evaluation_grid
from metastruct.running.assembly import build_system
from metastruct.running.validation import validate
from metastruct.systems.lotka_volterra import LotkaVolterra
from metastruct.systems.pendulum import Pendulum
from metastruct.systems.starts.given import Given
from metastruct.systems.starts.in_box import InBox
from metastruct.systems.starts.under_cap import DRAWS, UnderEnergyCap

RANGES = {"m": [0.5, 1.5], "l": [0.75, 1.25], "q0": [-0.5, 0.5]}
PENDULUM = Pendulum(RANGES)
MU = np.array([[1.0, 1.0, 0.3], [0.5, 1.25, -0.5]])
BOX = [[-2.0, 2.0], [-0.5, 0.5]]


def drawn(system, count=200, mu=MU[0], seed=0):
    return system.sample_starts(np.random.default_rng(seed), mu, count)


class Unreachable(Pendulum):
    """A cap below the lowest energy."""

    name = "unreachable"

    def energy_cap(self, mu):
        return np.full(len(mu), -0.1)

    def cap_box(self, mu):
        return PENDULUM.cap_box(mu)


class Undefined(Pendulum):
    """An energy that is no number."""

    name = "undefined"

    def energy(self, x, mu):
        return np.full(x.shape[:-1], np.nan)


@pytest.mark.few(1)
@pytest.mark.parametrize("system", [Unreachable(RANGES), Undefined(RANGES)], ids=lambda system: system.name)
def test_a_cap_that_no_start_can_meet_is_an_error_that_says_all_of_it_and_comes_soon(system):
    began = time.process_time()
    with pytest.raises(ValueError, match="choose another law") as refused:
        drawn(system, count=10)
    assert time.process_time() - began < 60
    for words in (system.name, "m = 1.00, l = 1.00, q0 = 0.30", "got 0 in", str(10 * DRAWS), "system.parameters"):
        assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_cap_below_the_lowest_energy_whose_box_has_no_real_ends_is_refused_as_well():
    class Sunken(Pendulum):
        def energy_cap(self, mu):
            return np.full(len(mu), -1.0)

    system = Sunken({"m": [1, 1], "l": [1, 1], "q0": [0, 0]})
    refused = pytest.raises(ValueError, match=r"pendulum \(m = 1\.00.*energy cap -1, got 0 in 0 draws.*another law")
    with np.errstate(invalid="ignore"), refused:
        system.sample_starts(np.random.default_rng(0), system.corners()[0], 3)


def test_a_cap_that_is_rarely_met_is_met():
    rare = copy.copy(PENDULUM)
    rare.energy_cap = lambda mu: np.full(len(mu), 0.01)
    starts = drawn(rare, count=10)
    assert starts.shape == (10, 2)
    assert (PENDULUM.energy(starts[None], MU[:1]) <= 0.01).all()


def test_a_chain_of_many_oscillators_finds_its_starts_where_a_box_would_not():
    chain = build_system(composed("system=damped_chain", "system.oscillators=12"))
    mu = chain.corners()[0]
    assert drawn(chain, mu=mu).shape == (200, 25)
    boxed = copy.copy(chain)
    boxed.start = UnderEnergyCap()
    with pytest.raises(ValueError, match="under its energy cap"):
        drawn(boxed, count=1, mu=mu)


def test_starts_in_a_box_are_uniform_in_it_for_every_member():
    system = PENDULUM.started_by(InBox(BOX))
    starts = drawn(system, count=20_000)
    unit = starts / [4, 1] + 0.5
    assert unit.min() >= 0
    assert unit.max() <= 1
    counts = np.histogramdd(unit, bins=(4, 4), range=[(0, 1)] * 2)[0]
    assert np.abs(counts - 1250).max() < 4.5 * np.sqrt(1250)
    np.testing.assert_array_equal(system.box(MU), [BOX, BOX])
    np.testing.assert_array_equal(starts, drawn(system, count=20_000, mu=MU[1]))
    assert (PENDULUM.energy(starts[None], MU[:1]) < PENDULUM.energy_cap(MU[:1])).all()
    assert not np.array_equal(drawn(PENDULUM), drawn(system))


def test_members_may_be_measured_on_a_box_beside_that_of_their_starts():
    grid = [[-2.5, 2.5], [-2.0, 2.0]]
    system, same = PENDULUM.started_by(InBox(BOX, grid)), PENDULUM.started_by(InBox(BOX))
    np.testing.assert_array_equal(drawn(system), drawn(same))
    for each, ends in ((system, grid), (same, BOX)):
        states = evaluation_grid(each, MU, 11, 1.0)
        np.testing.assert_allclose(np.stack([states.min((1, 2)), states.max((1, 2))], -1), [ends, ends])


@pytest.mark.parametrize(
    ("grid", "problem"),
    [
        ([[-1, 1]], r"start\.grid must hold a pair \[low, high\] for each of q, p of pendulum, got 1"),
        ([[-1, 1], [2, 2]], r"start\.grid must be wider than a point in p"),
        ([[1, -1], [-1, 1]], r"start\.grid must be .* low <= high"),
    ],
)
def test_a_box_to_measure_on_is_checked_like_that_of_the_starts(grid, problem):
    with pytest.raises(ValueError, match=problem):
        PENDULUM.started_by(InBox(BOX, grid))


def test_starts_may_be_one_point_where_members_are_measured_on_a_box():
    point = [[0.5, 0.5], [0.0, 0.0]]
    assert (drawn(PENDULUM.started_by(InBox(point, BOX))) == [0.5, 0.0]).all()
    with pytest.raises(ValueError, match=r"start\.box must be wider than a point in q"):
        PENDULUM.started_by(InBox(point))


def test_a_component_may_be_fixed_where_the_grid_does_not_vary_it():
    oscillator = build_system(
        composed("system=damped_oscillator", "start=in_box", "start.box=[[-1,1],[-1,1],[0.5,0.5]]")
    )
    assert (drawn(oscillator, mu=oscillator.corners()[0])[:, 2] == 0.5).all()


def test_given_starts_come_in_their_order():
    states = [[0.1, 0.2], [-0.3, 0.4], [0.5, -0.6]]
    system = PENDULUM.started_by(Given(states))
    np.testing.assert_array_equal(drawn(system, count=2), states[:2])
    np.testing.assert_array_equal(system.box(MU), [[[-0.3, 0.5], [-0.6, 0.4]]] * 2)
    np.testing.assert_array_equal(PENDULUM.started_by(Given(states, BOX)).box(MU), [BOX, BOX])


def test_too_few_given_starts_are_refused_unless_they_may_be_repeated():
    states = [[0.1, 0.2], [-0.3, 0.4]]
    with pytest.raises(ValueError, match=r"must hold 3 states.* got 2.*start\.cycle=true"):
        drawn(PENDULUM.started_by(Given(states)), count=3)
    cycled = PENDULUM.started_by(Given(states, cycle=True), count=3)
    np.testing.assert_array_equal(drawn(cycled, count=5), [*states, *states, states[0]])


@pytest.mark.parametrize("words", [(), ("system.oscillators=4",)])
def test_a_family_with_a_better_way_to_draw_under_its_cap_keeps_it(words):
    own, chosen = (
        build_system(composed("system=damped_chain", *words, *start)) for start in ((), ("start=under_cap",))
    )
    mu = own.corners()
    np.testing.assert_array_equal(drawn(own, mu=mu[0]), drawn(chosen, mu=mu[0]))
    np.testing.assert_array_equal(own.grid_box(mu), chosen.grid_box(mu))


@pytest.mark.few(2)
@pytest.mark.parametrize("name", groups()["system"])
def test_under_the_cap_is_the_law_of_every_family_that_has_a_cap(name):
    cfg = composed(f"system={name}", "start=under_cap")
    own = build_system(composed(f"system={name}"))
    if not own.gives("energy_cap"):
        with pytest.raises(ConfigError, match=f"needs a system with an energy and a cap of it, got system={name}"):
            validate(cfg)
        return
    validate(cfg)
    np.testing.assert_array_equal(drawn(own, mu=own.corners()[0]), drawn(build_system(cfg), mu=own.corners()[0]))


@pytest.mark.few(2)
@pytest.mark.parametrize("name", groups()["system"])
def test_every_family_starts_in_a_box_and_is_simulated_and_measured_there(name):
    own = build_system(composed(f"system={name}"))
    ends = (own.box(own.corners()[:1])[0] * 0.5 + own.box(own.corners()[:1])[0].mean(-1, keepdims=True) * 0.5).tolist()
    cfg = composed(f"system={name}", "start=in_box", f"start.box={ends}")
    validate(cfg)
    system = build_system(cfg)
    simulation = simulate(system, 0, tasks=2, trajectories=4, horizon=0.1, points=3, tolerance=1e-8, seed=0)
    low, high = np.array(ends).T
    assert (simulation.states[:, :, 0] >= low).all()
    assert (simulation.states[:, :, 0] <= high).all()
    grid = evaluation_grid(system, simulation.parameters, 11, 1.0)
    axes = list(system.grid_axes)
    np.testing.assert_allclose(grid[..., axes].min((1, 2)), [low[axes]] * 2)
    np.testing.assert_allclose(grid[..., axes].max((1, 2)), [high[axes]] * 2)


def test_the_family_itself_keeps_its_law_when_it_is_started_by_another():
    before = drawn(PENDULUM)
    PENDULUM.started_by(InBox(BOX))
    np.testing.assert_array_equal(drawn(PENDULUM), before)
    assert Pendulum(RANGES).start is PENDULUM.start


def test_a_law_shows_all_of_its_settings():
    assert repr(InBox(BOX)) == "InBox(ends=((-2.0, 2.0), (-0.5, 0.5)), grid=None)"
    states = [[i / 3, 0.1] for i in range(2000)]
    assert repr(Given(states)) != repr(Given([*states[:-1], [1.0, 0.1]]))


def test_a_family_without_a_cap_refuses_to_start_under_one():
    system = LotkaVolterra({name: [0.75, 1.25] for name in LotkaVolterra.parameter_names})
    with pytest.raises(ValueError, match="got lotka_volterra, which has no energy cap; leave start out"):
        system.started_by(UnderEnergyCap())


# Starts and parameters of the families of the benchmark: the data of record follow from them
DRAWN = {
    "damped_chain": "7f505574edc30038",
    "damped_oscillator": "6e35a5309dd226c7",
    "duffing": "b655ca7602bfb481",
    "mass_spring": "5d6ccddd669769f0",
    "morse": "3d12f9c0682886b9",
    "multi_domain": "2f05936626c979af",
    "pendulum": "63678c053329947d",
    "two_gas_containers": "d5cb3957e6b0d23e",
}


@pytest.mark.few(3)
@pytest.mark.parametrize("name", DRAWN)
def test_members_and_starts_of_the_benchmark_are_those_of_the_results_of_record(name):
    system, digest = build_system(composed(f"system={name}")), hashlib.sha256()
    for task in range(4):
        generator = np.random.default_rng([0, 0, task])
        mu = system.sample_parameters(generator, task)
        starts = system.sample_starts(generator, mu, 10)
        # to twelve digits: another build of numpy may round a logarithm otherwise
        digest.update((np.round(np.concatenate([mu, starts.ravel()]), 12) + 0.0).tobytes())
    assert digest.hexdigest()[:16] == DRAWN[name]
