"""Velocities that are not those of their positions, and angles that jump, are told before anything is trained."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import metastruct
from metastruct.data.kinematics import contradictions, slope
from metastruct.data.trajectory import Member, Trajectory
from metastruct.data.turns import wrapped
from metastruct.dynamics.hamiltonian import Hamiltonian
from metastruct.dynamics.mechanical import Mechanical

NAMES = ("q", "v")
TINY = {"net.width": 8, "modulation.code_dim": 2, "trainer.steps_per_epoch": 1}


def pendulums(noise=0.0, count=100, spinning=False, members=4, seed=0):
    """Members with friction, in (q, v)."""
    rng, result = np.random.default_rng(seed), []
    for number in range(members):
        stiff, friction, trajectories = rng.uniform(6, 14), rng.uniform(0.05, 0.4), []
        for _ in range(3):
            t, start = np.linspace(0, 6, count), (rng.uniform(-1.5, 1.5), 9.0 if spinning else 0.3)
            law = lambda _, x, k=stiff, c=friction: (x[1], -k * np.sin(x[0]) - c * x[1])  # noqa: E731
            x = solve_ivp(law, (0, 6), start, t_eval=t, rtol=1e-8).y.T
            trajectories.append(Trajectory(t, x + noise * x.std(0) * rng.standard_normal(x.shape)))
        result.append(Member(tuple(trajectories), name=f"rod {number}"))
    return tuple(result)


def changed(members, change, which=slice(None)):
    """States of some members as `change` has them."""
    touched = {*range(len(members))[which]}
    return tuple(
        Member(tuple(Trajectory(one.times, change(one.states)) for one in member.trajectories), name=member.name)
        if number in touched
        else member
        for number, member in enumerate(members)
    )


def wrap(x, turn=2 * np.pi):
    return np.stack([(x[:, 0] + turn / 2) % turn - turn / 2, x[:, 1]], -1)


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.05, 0.2])
@pytest.mark.parametrize("count", [13, 25, 100, 400])
def test_velocities_of_any_noise_and_spacing_are_those_of_their_positions(noise, count):
    for seed in range(3):
        assert contradictions(pendulums(noise, count, seed=seed), NAMES, strict=True) == ()


@pytest.mark.parametrize("factor", [180 / np.pi, np.pi / 180, -1.0, 0.5])
def test_no_model_begins_with_velocities_of_another_unit_or_sign(factor):
    with pytest.raises(ValueError, match=rf"v must be the slope of q, got {f'{factor:.3g}'[:4]}\d* times it"):
        contradictions(changed(pendulums(0.01), lambda x: x * [1, factor]), NAMES, strict=True)


def test_a_slight_difference_is_told_with_its_members():
    (line,) = contradictions(changed(pendulums(0.01), lambda x: x * [1, 1.1], slice(1, 2)), NAMES, strict=True)
    assert "1.1 times it in rod 1;" in line


def test_the_order_of_columns_is_told_where_others_fit():
    with pytest.raises(ValueError, match="v is that of q: name all positions first"):
        contradictions(changed(pendulums(), lambda x: x[:, ::-1]), ("v", "q"), strict=True)
    pair = changed(pendulums(), lambda x: np.concatenate([x, x[::-1] * [1, -1]], -1))
    with pytest.raises(ValueError, match="v1 is that of q1, v2 is that of q2: name all positions first"):
        contradictions(pair, ("q1", "v1", "q2", "v2"), strict=True)
    ordered = changed(pair, lambda x: x[:, [0, 2, 1, 3]])
    assert contradictions(ordered, ("q1", "q2", "v1", "v2"), strict=True) == ()  # the control


def test_velocities_that_never_change_are_told():
    with pytest.raises(ValueError, match="leaves 100% of q unexplained"):
        contradictions(changed(pendulums(), lambda x: x * [1, 0]), NAMES, strict=True)


def test_where_instants_are_too_far_apart_nothing_is_said():
    assert np.isnan(slope(pendulums(count=7)[0].trajectories, 0, 1).missed)


def test_angles_go_on_where_they_were_wrapped():
    members = pendulums(0.01, 200, spinning=True)
    seen, (line,) = Mechanical.read(changed(members, wrap), NAMES, strict=True, angles=[0])
    assert "jump by whole turns" in line
    for one, other in zip(seen, members, strict=True):
        for path, truth in zip(one.trajectories, other.trajectories, strict=True):
            turns = (path.states - truth.states)[:, 0] / (2 * np.pi)
            np.testing.assert_allclose(turns, np.round(turns[0]), atol=1e-12)
            np.testing.assert_array_equal(path.states[:, 1], truth.states[:, 1])
    again, lines = Mechanical.read(seen, NAMES, strict=True, angles=[0])
    assert lines == ()
    np.testing.assert_array_equal(again[0].trajectories[0].states, seen[0].trajectories[0].states)
    with pytest.raises(ValueError, match=r"q jumps by 2 pi, as angles do: use dynamics.angles=\[0\]"):
        Mechanical.read(changed(members, wrap), NAMES, strict=True)  # the control: nobody said that it is one
    with pytest.raises(ValueError, match=r"57.\d times it"):  # and no turn hides another unit
        Mechanical.read(changed(pendulums(), lambda x: x * [1, 180 / np.pi]), NAMES, strict=True, angles=[0])


def test_other_laws_say_of_angles_that_they_were_wrapped():
    members = pendulums(0.01, 200, spinning=True)
    for unit, turn in ((1.0, "2 pi"), (180 / np.pi, "360")):
        both = changed(members, lambda x, unit=unit: unit * wrap(x))
        assert [wrapped(both, column) for column in (0, 1)] == [turn, None]
        (line,) = Hamiltonian.read(both, NAMES)[1]
        assert f"q jumps by {turn}" in line
    assert Hamiltonian.read(members, NAMES)[1] == Hamiltonian.read(pendulums(), NAMES)[1] == ()  # the controls


def family(members):
    return metastruct.Family.from_arrays(
        {one.name: [(path.times, path.states) for path in one.trajectories] for one in members}, states=NAMES
    )


def test_fit_adapt_and_extend_read_angles_alike(tmp_path):
    settings = TINY | {"dynamics.angles": [0]}
    call = dict(dynamics="mechanical", steps=1, progress=False, outputs=tmp_path)
    spinning = pendulums(count=80, spinning=True)
    with pytest.raises(ValueError, match=r"57.\d times it"):
        metastruct.fit(family(changed(spinning, lambda x: x * [1, 180 / np.pi])), settings=settings, **call)
    with pytest.warns(UserWarning, match="jump by whole turns"):
        model = metastruct.fit(family(changed(spinning, wrap)), settings=settings, **call)
    plain, bent = (family(members).members[0].trajectories for members in (spinning, changed(spinning, wrap)))
    codes = []
    for paths in (plain, bent):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one step explains nothing
            member = model.adapt([one.states for one in paths], times=[one.times for one in paths])
        codes.append(member.code)
    np.testing.assert_allclose(*codes, rtol=1e-6)
    one = plain[0]
    with pytest.warns(UserWarning, match=r"57.\d times it"):
        model.adapt(one.states * [1, 180 / np.pi], times=one.times)
