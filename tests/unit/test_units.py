"""A training on measured data does not see their units."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
import torch

from metastruct.data.recordings import Recordings
from metastruct.data.trajectory import Member, Trajectory
from metastruct.data.units import Units, spread_of
from metastruct.running.assembly import build_learner
from metastruct.running.run import Run

OWN = np.array([0.5, 2.0])


def members(
    time: float = 1.0, state: float | np.ndarray = 1.0, given: bool = True, offset: float = 0.0
) -> list[Member]:
    """Oscillators at irregular instants, in other units."""
    rng, every = np.random.default_rng(0), []
    for frequency in (0.7, 1.0, 1.4):
        paths = []
        for length in (9, 14):
            t = rng.uniform(0.05, 0.3, length).cumsum()
            amplitude, phase = rng.uniform(0.5, 1.5, 2)
            angle = frequency * t + phase
            x = amplitude * np.stack([np.sin(angle), frequency * np.cos(angle)], -1)
            slope = amplitude * np.stack([frequency * np.cos(angle), -(frequency**2) * np.sin(angle)], -1)
            x, slope = (x + offset) * OWN * state, slope * OWN * (state / time)
            paths.append(Trajectory(t * time, x, slope if given else None))
        every.append(Member(tuple(paths)))
    return every


def inside(*settings, **named) -> dict[str, torch.Tensor]:
    recordings, _ = Recordings(members(*settings, **named), torch.float32, lawful=False).in_units(lambda spread: spread)
    return recordings.parts


POWERS = [(2.0**-30, 2.0**20), (2.0**40, 2.0**-30), (1.0, np.array([2.0**-20, 2.0**20]))]


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize(("time", "state"), POWERS)
def test_data_in_units_that_differ_by_powers_of_two_are_the_same_bits_inside(time, state, given):
    one, other = inside(given=given), inside(time, state, given)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize(("time", "state"), [(1e-9, 1e6), (1e6, np.array([1e-6, 1e6])), (1e-15, 1e9)])
def test_data_in_any_other_units_are_the_same_numbers_inside(time, state, given):
    one, other = inside(given=given), inside(time, state, given)
    for name in one:
        torch.testing.assert_close(other[name], one[name], rtol=1e-6, atol=1e-6)


def test_an_offset_a_billion_times_the_spread_costs_no_digit_that_single_precision_has():
    one, far = inside(), inside(offset=1e9)
    torch.testing.assert_close(far["states"], one["states"], rtol=0, atol=1e-6)
    plain = Recordings(members(offset=1e9), torch.float32).parts["states"]
    assert float(plain.std(0).min()) < 0.5 or bool((plain == plain[0]).all(0).any()), (
        "the control: without units it does"
    )


def test_inside_everything_is_of_order_one_and_the_fastest_component_crosses_its_spread_in_the_unit_of_time():
    parts = inside(1e-9, np.array([1e-6, 1e6]))
    torch.testing.assert_close(parts["states"].std(0, correction=0), torch.ones(2), rtol=1e-5, atol=0)
    speeds = parts["derivatives"].square().mean(0).sqrt()
    torch.testing.assert_close(speeds.max(), torch.tensor(1.0), rtol=1e-5, atol=0)


def history(words: tuple[str, ...], composed, *settings, lawful: bool = False, **named):
    cfg = composed("dynamics=hamiltonian", "net.width=8", "modulation.code_dim=2", "trainer.steps=10", *words)
    recordings = Recordings(members(*settings, **named), torch.float32, lawful=lawful)
    learner = build_learner(Run.of(cfg).config, recordings)
    learner.complete()
    return learner.courses[0].history


@pytest.mark.few(1)
@pytest.mark.parametrize("words", [("optimizer=gauss_newton",), ("optimizer=adam", "trainer.steps_per_epoch=5")])
def test_a_training_in_units_that_differ_by_powers_of_two_has_the_same_bits_of_every_loss(composed, words):
    one = history(words, composed)
    for time, state in POWERS:
        assert history(words, composed, time, state) == one
    other = history(words, composed, 1e-9, 1e6)
    np.testing.assert_allclose([loss for _, loss in other], [loss for _, loss in one], rtol=0.05)


def test_the_control_a_training_in_the_units_of_the_data_sees_them(composed):
    words = ("optimizer=adam", "trainer.steps=200", "trainer.steps_per_epoch=50")
    one, other = (history(words, composed, *units, lawful=True) for units in ((), (1e-15, 1e9)))
    assert one != other


def test_every_part_of_a_trajectory_changes_its_units():
    units = Units(np.array([1.0]), np.array([4.0]), 0.5, np.array([3.0]), np.array([8.0]))
    values = {"times": np.array([2.0, 3.0])}
    values |= {name: np.array([[5.0], [9.0]]) for name in ("states", "derivatives", "inputs")}
    names = {each.name for each in fields(Trajectory)}
    values |= {"noise": np.array([2.0]), "derivative_noise": np.array([2.0])}
    assert names == {*values}, "say in data/units.py what units do to it"
    (moved,) = units.inside(Member((Trajectory(**values),))).trajectories
    expected = {"times": [0, 2], "states": [[1], [2]], "derivatives": [[0.625], [1.125]], "inputs": [[0.25], [0.75]]}
    expected |= {"noise": [0.5], "derivative_noise": [0.25]}
    assert {name: getattr(moved, name).tolist() for name in names} == {name: expected[name] for name in names}


def test_what_never_moves_has_its_size_for_a_spread():
    values = np.stack([np.arange(5.0), np.full(5, 0.1), np.full(5, -1e9), np.zeros(5)], -1)
    centre, spread = spread_of(values)
    np.testing.assert_allclose(centre, [2, 0.1, -1e9, 0], rtol=1e-12)
    np.testing.assert_allclose(spread, [2**0.5, 0.1, 1e9, 1], rtol=1e-12)


def test_members_that_never_move_have_units():
    still = Member((Trajectory(np.array([0.0, 4.0]), np.ones((2, 2)), np.zeros((2, 2))),))
    recordings, units = Recordings([still], torch.float32, lawful=False).in_units(lambda spread: spread)
    assert units.time == 4
    assert all(part.isfinite().all() for part in recordings.parts.values())
