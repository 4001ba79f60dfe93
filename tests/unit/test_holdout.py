"""Members and trajectories that no training sees."""

from __future__ import annotations

import numpy as np
import pytest

from metastruct.data.family import Family
from metastruct.data.holdout import HoldOut, fewer
from metastruct.data.trajectory import Member, Trajectory


def family(*counts: int, length: int = 6) -> Family:
    """Members of so many trajectories; the first state of each says whose it is."""
    t = np.arange(float(length))
    return Family.from_arrays(
        {
            f"m{m}": [(t, np.stack([t + 100 * m + 10 * n, t], -1)) for n in range(count)]
            for m, count in enumerate(counts)
        }
    )


def seen(members) -> set[tuple[float, ...]]:
    return {tuple(row) for member in members for one in member.trajectories for row in one.states}


@pytest.mark.parametrize("what", ["members", "trajectories"])
@pytest.mark.parametrize("settings", [{}, {"fraction": 0.5}, {"folds": 2, "fold": 1}, {"seed": 3}])
@pytest.mark.parametrize("counts", [(4, 4, 4), (2, 5, 3, 4), (1, 1, 1), (3, 3)])
def test_nothing_that_is_measured_on_is_trained_on_or_adapted_to(what, settings, counts):
    if counts == (1, 1, 1) and "folds" in settings and what == "trajectories":
        settings = {"fraction": 0.5}
    whole = family(*counts)
    division = HoldOut(what, **settings).divide(whole)
    support = [member.part(slice(division.support)) for member in division.test]
    query = [member.part(slice(division.support, None)) for member in division.test]
    assert all(member.trajectories for member in (*division.train, *support, *query))
    assert not seen(query) & seen(support)
    assert not seen(query) & seen(division.train)
    if what == "members":
        assert not {m.name for m in division.train} & {m.name for m in division.test}
        assert seen(division.train) | seen(division.test) == seen(whole.members), "nothing is lost"
    else:
        assert {m.name for m in division.train} == {m.name for m in whole.members}
        assert seen(support) <= seen(division.train)
        assert seen(division.train) | seen(query) == seen(whole.members), "nothing is lost"


@pytest.mark.parametrize("what", ["members", "trajectories"])
def test_folds_hold_out_everything_once(what):
    whole = family(4, 4, 4, 4, 4)
    held = []
    for fold in range(2):
        division = HoldOut(what, folds=2, fold=fold).divide(whole)
        held.append(seen([member.part(slice(division.support, None)) for member in division.test]))
        if what == "members":
            held[-1] = seen(division.test)
    assert held[0] | held[1] == seen(whole.members)
    assert not held[0] & held[1]


def test_a_seed_draws_the_same_and_another_one_others():
    drawn = [HoldOut(seed=seed, fraction=0.5).divide(family(*[2] * 10)).test for seed in (0, 0, 1)]
    names = [[member.name for member in test] for test in drawn]
    assert names[0] == names[1] != names[2]


def test_names_hold_out_those_and_no_others():
    division = HoldOut(names=["m1"]).divide(family(2, 4, 2))
    assert [member.name for member in division.test] == ["m1"]
    assert division.support == 2
    division = HoldOut("trajectories", names=["2"]).divide(family(2, 4, 2))
    assert [member.name for member in division.test] == ["m1"]
    assert [len(member.trajectories) for member in division.train] == [2, 3, 2]


def test_pieces_of_one_trajectory_are_held_out_together():
    t = np.arange(6.0)
    gap = np.stack([t, np.where(t == 3, np.nan, t)], -1)
    whole = Family.from_arrays([[(t, gap), (t, gap + 10), (t, gap + 20)]])
    division = HoldOut("trajectories", names=["1"]).divide(whole)
    assert [len(member.trajectories) for member in division.train] == [4]
    assert len(division.test[0].trajectories) - division.support == 2


def test_a_single_trajectory_is_cut_in_two_and_its_later_part_is_asked_for():
    division = HoldOut("trajectories", fraction=0.25).divide(family(1, length=12))
    assert [len(one) for one in division.train[0].trajectories] == [9]
    assert [len(one) for one in division.test[0].trajectories] == [9, 3]
    division = HoldOut().divide(family(1, 1, length=12))
    earlier, later = division.test[0].trajectories
    assert (len(earlier), len(later), division.support) == (6, 6, 1)
    assert earlier.times[-1] < later.times[0]


def test_nothing_may_be_held_out():
    division = HoldOut("none").divide(family(1))
    assert (len(division.train), division.test) == (1, ())


@pytest.mark.parametrize(
    ("settings", "counts", "told"),
    [
        ({"kind": "some"}, (2, 2), "data.hold_out must be one of members, trajectories, none, got 'some'"),
        ({"names": ["m0"], "folds": 2}, (2, 2), "data.test_names and data.folds both say what is held out"),
        ({"folds": 2, "fold": 2}, (2, 2), "data.fold must be from 0 to data.folds - 1 = 1, got 2"),
        ({"fraction": 1.0}, (2, 2), "data.test_fraction must be between 0 and 1, got 1.0"),
        ({}, (4,), "data.hold_out=members needs at least two members, got one"),
        ({"names": ["m7"]}, (2, 2), "data.test_names names the member m7, which is not there; there is m0, m1"),
        ({"names": ["m0", "m1"]}, (2, 2), "data.test_names holds out all 2 members"),
        (
            {"kind": "trajectories", "names": ["7"]},
            (2, 2),
            "data.test_names names the trajectory 7, which is not there",
        ),
        ({"kind": "trajectories", "names": ["0", "1"]}, (2, 2), "holds out all trajectories of member m0"),
        ({"folds": 3}, (2, 2), "data.folds must be at most the 2 that there are to divide, got 3"),
        ({"support": 2}, (2, 2), "data.support_trajectories must be below the 2 trajectories of a test member, got 2"),
        (
            {"kind": "trajectories", "support": 4},
            (4, 4),
            "must be at most the 3 training trajectories of a test member",
        ),
        ({"kind": "trajectories"}, (1,), "the one trajectory of member m0 must have at least 4 instants"),
    ],
)
def test_what_cannot_be_held_out_is_refused_in_one_line(settings, counts, told):
    with pytest.raises(ValueError, match=told):
        HoldOut(**settings).divide(family(*counts, length=3 if counts == (1,) else 6))


def test_fewer_members_are_among_more_and_keep_their_order():
    one = Trajectory(np.arange(3.0), np.ones((3, 1)))
    members = tuple(Member((one,), name=str(number)) for number in range(12))
    draws = [[int(member.name) for member in fewer(members, count, seed=3)] for count in (2, 5, 9, None, 40)]
    assert [len(draw) for draw in draws] == [2, 5, 9, 12, 12]
    assert all(draw == sorted(draw) for draw in draws)
    assert {*draws[0]} < {*draws[1]} < {*draws[2]}
    assert fewer(members, 5, seed=4) != fewer(members, 5, seed=3)
