"""Positions alone become states (q, v), with what is known of the error of v."""

from __future__ import annotations

import re

import numpy as np
import pytest

import metastruct
from metastruct.data.kinematics import contradictions
from metastruct.data.trajectory import Member, Trajectory
from metastruct.data.velocities import with_velocities


def swinging(noise, count=160, drift=0.0, uneven=False):
    """Members of known velocities, and what is seen of their positions."""
    rng, seen, truth = np.random.default_rng(0), [], []
    for _ in range(3):
        paths = []
        for _ in range(3):
            t = np.sort(rng.uniform(0, 8, count)) if uneven else np.linspace(0, 8, count)
            w, size = rng.uniform(2, 4), rng.uniform(0.5, 1.5)
            q, v = size * np.sin(w * t) + drift * t, size * w * np.cos(w * t) + drift
            paths.append(Trajectory(t, (q + noise * 0.7 * size * rng.standard_normal(count))[:, None]))
            truth.append(v)
        seen.append(Member(tuple(paths)))
    return seen, np.concatenate(truth)


@pytest.mark.parametrize(("noise", "count", "most"), [(0.0, 160, 0.01), (0.01, 160, 0.06), (0.05, 400, 0.12)])
@pytest.mark.parametrize("drift", [0.0, 20.0])
@pytest.mark.parametrize("uneven", [False, True], ids=["even", "uneven"])
def test_velocities_are_as_far_off_as_is_told(noise, count, most, drift, uneven):
    seen, truth = swinging(noise, count, drift, uneven)
    members, (told,) = with_velocities(seen)
    v = np.concatenate([one.states[:, 1] for member in members for one in member.trajectories])
    error = (v - truth).std() / truth.std()
    assert error < (most if not uneven else 3 * most)
    assert error < 3 * told
    assert told < 3 * max(error, 0.002)
    assert contradictions(members, ("q", "v_q"), strict=True) == ()
    for member, other in zip(members, seen, strict=True):
        for one, before in zip(member.trajectories, other.trajectories, strict=True):
            np.testing.assert_array_equal(one.states[:, :1], before.states)


def test_differences_are_worse():
    """The control: what a spline is for."""
    seen, truth = swinging(0.05, 400)
    slopes = [np.gradient(one.states[:, 0], one.times) for member in seen for one in member.trajectories]
    assert (np.concatenate(slopes) - truth).std() / truth.std() > 0.3


def test_a_family_gets_names_units_and_a_line():
    seen, _ = swinging(0.01)
    arrays = [[(one.times, one.states) for one in member.trajectories] for member in seen]
    family = metastruct.Family.from_arrays(arrays, states=["q"], units={"t": "s", "q": "rad"}).with_velocities()
    assert family.layout.states == ("q", "v_q")
    assert family.layout.unit("v_q") == "rad/s"
    assert re.fullmatch(
        r"v_q is the slope of a spline through q, off by about \d\.\d% of its spread", family.report[-1]
    )
    with pytest.raises(ValueError, match="v_q for two"):
        metastruct.Family.from_arrays(
            [[(one.times, np.tile(one.states, 2)) for one in seen[0].trajectories]], states=["q", "v_q"]
        ).with_velocities()


def test_derivatives_that_are_known_are_the_velocities():
    t = np.linspace(0, 1, 5)
    known = dict(times=t, states=t[:, None] ** 2, derivatives=2 * t[:, None])
    family = metastruct.Family.from_arrays([[known]], states=["q"]).with_velocities()
    np.testing.assert_array_equal(family.members[0].trajectories[0].states[:, 1], 2 * t)
    assert family.parts == ("states", "times")
    assert family.report == ()


def test_what_is_too_short_is_refused_by_name():
    t = np.linspace(0, 1, 5)
    with pytest.raises(ValueError, match="at least 8 instants, got one of 5 of member rod;"):
        metastruct.Family.from_arrays({"rod": [(t, t[:, None])]}, states=["q"]).with_velocities()
