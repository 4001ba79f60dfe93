"""Observations that are errors are found, and those that only look so are few."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from metastruct.data.outliers import MOST, outlying, suspected, without_outliers
from metastruct.data.trajectory import Member, Trajectory

COUNT, NOISE, BOUND = 200, 0.01, 6.0


def seen(seed, outliers=0, uneven=False, size=1.0, noise=NOISE, path=None):
    """A motion with noise, and the instants at which one component is off by about `size`."""
    rng = np.random.default_rng(seed)
    t = np.sort(rng.uniform(0, 10, COUNT)) if uneven else np.linspace(0, 10, COUNT)
    x = np.stack([np.sin(2 * t), np.cos(3 * t)], -1) if path is None else path(t)
    x = x + noise * rng.standard_normal(x.shape)
    places = np.sort(rng.choice(np.arange(6, COUNT - 6), outliers, replace=False))
    x[places, rng.integers(0, 2, outliers)] += size * rng.choice([-1, 1], outliers) * rng.uniform(0.5, 1.5, outliers)
    return Trajectory(t, x), places


@pytest.mark.parametrize(("uneven", "least", "most"), [(False, 76, 4), (True, 70, 20)], ids=["even", "uneven"])
def test_outliers_are_found_and_hardly_anything_else(uneven, least, most):
    """Of two samples that lie close together it may be the wrong one."""
    hits = wrong = 0
    for seed in range(20):
        one, places = seen(seed, 4, uneven)
        found = np.flatnonzero(outlying(one, BOUND))
        hits += np.isin(places, found).sum()
        wrong += (~np.isin(found, places)).sum()
    assert hits >= least  # of 80
    assert wrong <= most


@pytest.mark.parametrize("noise", [0.0, 1e-9, 1e-3, 0.1])
def test_noise_of_any_level_is_none(noise):
    assert sum(outlying(seen(seed, noise=noise)[0], BOUND).sum() for seed in range(20)) <= 1


@pytest.mark.parametrize(
    "path",
    [
        lambda t: np.stack([np.abs(np.sin(t)), np.sign(np.sin(t)) * np.cos(t)], -1),
        lambda t: np.stack([np.floor(t / 3), np.floor(t / 2) % 2], -1),
        lambda t: np.stack([np.cumsum(np.floor(t) % 2) / 20, np.floor(t) % 2], -1),
    ],
    ids=["bounces", "steps", "jumps of a slope"],
)
def test_what_jumps_is_no_error(path):
    count = sum(outlying(seen(seed, path=path)[0], BOUND).sum() for seed in range(20))
    assert count < 0.01 * 20 * COUNT


def test_the_condition_on_what_is_left_is_what_keeps_jumps(monkeypatch):
    monkeypatch.setattr("metastruct.data.outliers.LEFT", np.inf)
    steps = [seen(seed, path=lambda t: np.stack([np.floor(t / 3), np.floor(t / 2) % 2], -1))[0] for seed in range(20)]
    assert sum(outlying(one, BOUND).sum() for one in steps) > 0.02 * 20 * COUNT


def test_members_lose_them_with_their_instants_and_are_told():
    one, places = seen(0, 4)
    member = Member((replace(one, derivatives=one.states),), name="rod")
    (left,), notes = without_outliers([member], BOUND)
    kept = np.delete(np.arange(COUNT), places)
    np.testing.assert_array_equal(left.trajectories[0].times, one.times[kept])
    np.testing.assert_array_equal(left.trajectories[0].derivatives, one.states[kept])
    instants = ", ".join(f"{t:g}" for t in one.times[places])
    assert notes == (f"4 of 200 observations of member rod are outliers and set aside, at t = {instants}",)
    line = f"4 of 200 observations look like outliers: at t = {instants}; train with data.outliers=6 to set such aside"
    assert suspected([member]).startswith(line)
    assert f"look like outliers: rod at t = {instants}; train" in suspected([member, left])
    assert suspected([left]) is None


def test_too_many_to_be_errors_stay():
    one, _ = seen(0, int(2 * MOST * COUNT))
    (left,), notes = without_outliers([Member((one,), name="spiky")], BOUND)
    assert len(left.trajectories[0]) == COUNT
    assert "too many: all of them stay" in notes[0]


def test_units_and_a_component_that_rests_change_nothing():
    one, _ = seen(0, 4)
    scaled = Trajectory(1e-9 * one.times, np.concatenate([1e6 * one.states, np.ones((COUNT, 1))], -1))
    np.testing.assert_array_equal(outlying(scaled, BOUND), outlying(one, BOUND))


def test_ends_and_members_that_an_input_drives_are_left_alone():
    """What starts fast has one side alone, and what an input does looks like an error."""
    one, places = seen(0, 4)
    driven = replace(one, inputs=np.zeros((COUNT, 1)))
    assert outlying(one, BOUND).any()
    assert not outlying(driven, BOUND).any()
    late = one.part(slice(int(places[-1]) - 20, int(places[-1]) + 2))
    assert not outlying(late, BOUND)[-4:].any()


def test_a_short_trajectory_is_left_alone():
    assert not outlying(seen(0, 4)[0].part(slice(10)), BOUND).any()
