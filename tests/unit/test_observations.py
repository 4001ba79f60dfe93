"""Observations of members of different numbers and lengths of trajectories, with irregular times."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from metastruct.data.observations import Observations
from metastruct.data.recordings import Recordings
from metastruct.data.shots import Request, support, whole
from metastruct.data.trajectory import Member, Queries, Trajectory

READS = ("states", "derivatives", "inputs", "times")
EVEN, RAGGED = [[6] * 3] * 4, [[5, 1, 3], [4], [2, 7], [1, 1]]
NAMES = {"even": EVEN, "ragged": RAGGED}


def members_of(lengths: list[list[int]]) -> list[Member]:
    """States that say where they come from, (task, trajectory, time); derivatives and inputs that say it too."""
    rng = np.random.default_rng(0)

    def trajectory(task: int, number: int, length: int) -> Trajectory:
        x = np.array([[task, number, time] for time in range(length)], dtype=float)
        times = rng.uniform(0.1, 1.0, length).cumsum()
        return Trajectory(times, x, 1000 * x, 7 * x[:, :2])

    return [Member(tuple(trajectory(k, i, n) for i, n in enumerate(own))) for k, own in enumerate(lengths)]


@pytest.fixture(params=NAMES)
def lengths(request) -> list[list[int]]:
    return NAMES[request.param]


@pytest.fixture
def members(lengths) -> list[Member]:
    return members_of(lengths)


def rows_of(observations: Observations, task: int) -> list[tuple[float, ...]]:
    """Where the points of a task come from, without what only fills it up."""
    states = observations.states[task]
    return [tuple(row) for row in (states if observations.mask is None else states[observations.mask[task]]).tolist()]


# Trajectories


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"states": np.zeros((3, 2))}, r"states must have the shape \[4, ...\] of a trajectory of 4 instants, got \[3"),
        ({"states": np.zeros(4)}, r"states must have the shape \[4, ...\]"),
        ({"inputs": np.zeros((5, 1))}, r"inputs must have the shape \[4, ...\]"),
        ({"derivatives": np.zeros((4, 3))}, r"derivatives must have the shape \[4, 2\] of the states, got \[4, 3\]"),
        ({"times": np.array([0.0, 1, 1, 2])}, "must increase"),
        ({"times": np.array([0.0, 1, np.nan, 2])}, "must increase"),
        ({"times": np.array([0.0, 1, 2, np.inf])}, "must increase"),
        ({"times": np.zeros((4, 1))}, r"times must have the shape \[instants\], got \[4, 1\]"),
        ({"times": np.empty(0)}, r"times must have the shape \[instants\], got \[0\]"),
        ({"states": np.full((4, 2), np.nan)}, "states of a trajectory must be finite, got 8 NaN or infinite numbers"),
        ({"inputs": np.full((4, 1), np.inf)}, "inputs of a trajectory must be finite, got 4 NaN"),
        ({"inputs": np.zeros((4, 0))}, r"inputs must have the shape \[4, ...\]"),
    ],
)
def test_parts_that_do_not_go_together_are_refused_in_one_line(change, message):
    whole = {"times": np.arange(4.0), "states": np.zeros((4, 2)), "derivatives": np.zeros((4, 2))}
    assert len(Trajectory(**whole)) == 4
    with pytest.raises(ValueError, match=message) as refused:
        Trajectory(**whole | change)
    assert "\n" not in str(refused.value)


MIXED = {
    "derivatives": (Trajectory(np.arange(3.0), np.ones((3, 2)), np.ones((3, 2))), "2 states and 2 derivatives"),
    "inputs": (Trajectory(np.arange(3.0), np.ones((3, 2)), None, np.ones((3, 1))), "2 states and 1 inputs"),
    "states": (Trajectory(np.arange(3.0), np.ones((3, 3))), "3 states"),
}


@pytest.mark.parametrize(("other", "said"), MIXED.values(), ids=MIXED)
def test_trajectories_and_members_that_differ_in_what_is_seen_of_them_are_refused_in_one_line(other, said):
    usual = Trajectory(np.arange(3.0), np.ones((3, 2)))
    for first, second, message in (
        (usual, other, f"got 2 states of the first and {said}"),
        (other, usual, f"got {said}"),
    ):
        with pytest.raises(ValueError, match=f"trajectories of a member must have the same parts, {message}"):
            Member((first, second))
        with pytest.raises(ValueError, match=f"members must have the same parts, {message}"):
            Recordings([Member((first,)), Member((second,))], torch.float64)
    assert len(Recordings([Member((usual,)), Member((usual,))], torch.float64)) == 2


# Recordings


def test_recordings_lay_trajectories_and_tasks_end_to_end(members, lengths):
    recordings = Recordings(members, torch.float64)
    every = [trajectory for member in members for trajectory in member.trajectories]
    assert len(recordings) == len(members)
    assert recordings.counts.tolist() == [sum(own) for own in lengths]
    assert {name: part.shape[-1] for name, part in recordings.parts.items()} == {
        "states": 3,
        "derivatives": 3,
        "inputs": 2,
        "times": 1,
    }
    for name in ("states", "derivatives", "inputs"):
        np.testing.assert_array_equal(recordings.parts[name], np.concatenate([getattr(one, name) for one in every]))
    np.testing.assert_array_equal(
        recordings.parts["times"][:, 0], np.concatenate([one.times - one.times[0] for one in every])
    )


def test_what_nobody_knows_is_not_there():
    member = Member((Trajectory(np.arange(3.0), np.zeros((3, 2))),))
    assert Recordings([member], torch.float32).parts.keys() == {"states", "times"}


def test_times_of_a_clock_lose_no_digit_in_single_precision():
    """Seconds since 1970, a hundredth apart."""
    times = 1.7e9 + np.arange(20) / 100
    member = Member((Trajectory(times, np.sin(times[:, None] - times[0])),))
    recordings = Recordings([member], torch.float32)
    torch.testing.assert_close(recordings.parts["times"].diff(dim=0), torch.full((19, 1), 0.01), rtol=1e-3, atol=0)
    states, slopes = recordings.slopes()
    torch.testing.assert_close(slopes[1:-1], torch.cos(torch.arange(20)[1:-1, None] / 100), rtol=1e-3, atol=0)
    assert torch.equal(states, recordings.parts["states"])


def test_slopes_are_those_that_are_known_and_else_differences_of_each_trajectory(members):
    known = Recordings(members, torch.float64)
    assert torch.equal(known.slopes()[1], known.parts["derivatives"])
    paths = [(np.array([0.0, 1, 3]), [0.0, 1, 9]), (np.array([5.0]), [7.0]), (np.array([0.0, 2]), [1.0, 0])]
    unknown = [Member((Trajectory(t, np.array(x)[:, None]),)) for t, x in paths]
    states, slopes = Recordings(unknown, torch.float64).slopes()
    assert states[:, 0].tolist() == [0, 1, 9, 1, 0]
    torch.testing.assert_close(slopes[:, 0], torch.tensor([1.0, 2, 4, -0.5, -0.5], dtype=torch.float64))
    with pytest.raises(ValueError, match="needs derivatives, or a trajectory of at least two instants, got neither"):
        Recordings(unknown[1:2], torch.float64).slopes()


@pytest.mark.parametrize("length", [1, 2, 4])
def test_windows_are_all_runs_of_consecutive_samples_of_one_trajectory(length):
    lengths = EVEN if length > 1 else RAGGED
    recordings = Recordings(members_of(lengths), torch.float64)
    starts, counts = recordings.windows(length)
    assert counts.tolist() == [sum(max(0, n - length + 1) for n in own) for own in lengths]
    windows = recordings.parts["states"][starts[:, None] + torch.arange(length)]
    owners = np.repeat(np.arange(len(counts)), counts)
    assert (windows[..., 0] == torch.from_numpy(owners)[:, None]).all()
    assert (windows[..., 1] == windows[:, :1, 1]).all()
    assert (windows[..., 2].diff(dim=-1) == 1).all()
    assert len({tuple(window) for window in windows[:, 0].tolist()}) == len(windows)


def test_trajectories_shorter_than_a_window_are_passed_over():
    starts, counts = Recordings(members_of([[5, 1, 3], [4]]), torch.float64).windows(3)
    assert counts.tolist() == [4, 2]
    assert starts.tolist() == [0, 1, 2, 6, 9, 10]


def test_a_task_without_a_trajectory_as_long_as_a_window_is_named():
    with pytest.raises(ValueError, match=r"window of 3 samples .* the longest of task 3 has 1"):
        Recordings(members_of(RAGGED), torch.float64).windows(3)


# Support


def test_support_holds_each_task_its_own_observations_once_with_what_belongs_to_them(members, lengths):
    drawn = support(members, 5, 0, Request(READS))
    assert {part.dtype for part in (drawn.states, drawn.derivatives, drawn.inputs, drawn.times)} == {torch.float64}
    torch.testing.assert_close(drawn.derivatives, 1000 * drawn.states)
    torch.testing.assert_close(drawn.inputs, 7 * drawn.states[..., :2])
    for task, own in enumerate(lengths):
        rows = rows_of(drawn, task)
        assert len(set(rows)) == len(rows) == min(5, sum(own))
        assert {row[0] for row in rows} == {task}
    for time, (task, number, sample) in zip(drawn.times[..., 0].flatten(), drawn.states.flatten(0, 1), strict=True):
        times = members[int(task)].trajectories[int(number)].times
        assert time == times[int(sample)] - times[0]


def test_support_has_what_is_read_and_a_mask_only_where_tasks_are_filled_up():
    drawn = support(members_of(EVEN), 5, 0, Request(("states", "inputs")))
    assert drawn.derivatives is drawn.times is drawn.mask is None
    assert drawn.count == 5
    filled = support(members_of(RAGGED), 5, 0, Request(READS))
    assert filled.mask.sum(-1).tolist() == filled.count.tolist() == [5, 4, 5, 2]


def test_all_shots_are_everything(members, lengths):
    drawn = support(members, 100, 0, Request(READS))
    for task, own in enumerate(lengths):
        assert sorted(rows_of(drawn, task)) == [(task, i, t) for i, n in enumerate(own) for t in range(n)]


def test_support_is_nested_in_the_number_of_shots(members):
    largest = support(members, 100, 0, Request(READS))
    for shots in range(1, 20):
        fewer = support(members, shots, 0, Request(READS))
        for task in range(len(members)):
            assert rows_of(fewer, task) == rows_of(largest, task)[:shots]


def test_support_is_drawn_at_random_by_the_seed_and_differently_for_each_task():
    first, again, other = (support(members_of(EVEN), 10, seed, Request(READS)).states for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert all(not torch.equal(first[task], other[task]) for task in range(len(EVEN)))
    assert len({tuple(map(tuple, first[task, :, 1:].tolist())) for task in range(len(EVEN))}) == len(EVEN)


def test_the_support_of_a_task_does_not_depend_on_the_tasks_beside_it(members):
    whole, few = support(members, 5, 0, Request(READS)), support(members[:2], 5, 0, Request(READS))
    assert [rows_of(few, task) for task in (0, 1)] == [rows_of(whole, task) for task in (0, 1)]


def test_support_in_windows_holds_whole_windows_that_do_not_leave_their_trajectory():
    lengths = [[5, 1, 3], [4], [2, 7], [3]]
    drawn = support(members_of(lengths), 9, 0, Request(READS, 3))  # three windows, where a task has as many
    windows, known = drawn.states.unflatten(1, (-1, 3)), drawn.mask.unflatten(1, (-1, 3))
    assert known.all(-1).sum(-1).tolist() == [3, 2, 3, 1]
    assert (known.all(-1) == known.any(-1)).all()
    assert (windows[..., :2] == windows[..., :1, :2]).all()
    assert (windows[..., 2].diff(dim=-1) == 1).all()
    assert support(members_of(lengths), 2, 0, Request(READS, 3)).states.shape[1] == 3  # one at least


# Choosing


def test_a_last_task_of_fewer_and_shorter_trajectories_is_filled_up_by_what_it_has():
    filled = whole(members_of([[6, 6], [4]]), Request(READS, 6, 2))
    assert filled.mask.sum(-1).tolist() == [12, 4]
    assert filled.states[1, :, 2].tolist() == 2 * [0, 1, 2, 3, 3, 3]


def test_observations_of_tasks_at_points_and_repeated_keep_their_parts_together():
    drawn = support(members_of(RAGGED), 5, 0, Request(READS))
    some = drawn.of(torch.tensor([2, 0])).at(torch.tensor([1, 3])).repeated(2)
    assert len(some) == 4
    for part in (*READS, "mask"):
        whole = getattr(drawn, part)
        assert torch.equal(getattr(some, part), whole[[2, 0, 2, 0]][:, [1, 3]])
    assert Observations(drawn.states).of(slice(1, 3)).mask is None


# Queries


def test_queries_of_equal_times_have_one_axis_of_them():
    times = np.array([0.0, 0.3, 1.0])
    members = [Member(tuple(Trajectory(times, np.full((3, 2), 10.0 * k + i)) for i in range(2))) for k in range(3)]
    queries = Queries.of(members)
    shared, states = queries.times, queries.states
    np.testing.assert_array_equal(shared, times)
    assert states.shape == (3, 2, 3, 2)
    assert states[2, 1, 0, 0] == 21


def test_ragged_queries_stay_where_a_trajectory_has_ended_and_say_that_nobody_saw_it():
    members = members_of(RAGGED)
    queries = Queries.of(members)
    times, states = queries.times, queries.states
    assert times.shape == (4, 3, 7)
    assert states.shape == (4, 3, 7, 3)
    assert (np.diff(times) >= 0).all()
    for task, member in enumerate(members):
        for number in range(3):
            seen = RAGGED[task][number] if number < len(RAGGED[task]) else 0
            assert np.isnan(states[task, number, seen:]).all()
            assert (np.diff(times[task, number, max(0, seen - 1) :]) == 0).all()
            if seen:
                one = member.trajectories[number]
                np.testing.assert_array_equal(states[task, number, :seen], one.states)
                np.testing.assert_array_equal(times[task, number, :seen], one.times)
