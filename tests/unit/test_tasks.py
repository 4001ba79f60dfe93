from __future__ import annotations

import numpy as np
import pytest
import torch

from metastruct.data.simulate import Simulation
from metastruct.data.tasks import Batches, Tasks, split_support

TASKS, TRAJECTORIES, TIMES, SUPPORT = 4, 5, 6, 3
SIZES = {"tasks": 9, "observations": 50, "batch": 4, "points": 7, "updates": 3}
STEPS = [0, 1, 63, 64, 65, 200]


def same(one, other) -> bool:
    return torch.equal(one.tasks, other.tasks) and torch.equal(one.points, other.points)


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    """States that say where they come from, (task, trajectory, time), and derivatives a thousand times as large."""
    states = np.stack(np.meshgrid(*map(np.arange, (TASKS, TRAJECTORIES, TIMES)), indexing="ij"), axis=-1).astype(float)
    return Simulation(np.arange(TIMES) / 10, states, 1000 * states, np.zeros((TASKS, 1)))


def test_a_batch_depends_only_on_the_seed_and_the_step():
    forward, backward = Batches(3, **SIZES), Batches(3, **SIZES)
    walked = {step: forward[step] for step in range(201)}
    for step in reversed(STEPS):
        assert same(walked[step], backward[step])
        assert same(walked[step], Batches(3, **SIZES)[step])


def test_every_step_and_every_seed_has_its_own_batch():
    drawn = [Batches(seed, **SIZES)[step] for seed in (0, 1) for step in STEPS]
    for i, one in enumerate(drawn):
        assert not any(torch.equal(one.points, other.points) for other in drawn[:i])
    assert len({tuple(batch.tasks.tolist()) for batch in drawn}) > len(drawn) / 2


def test_a_batch_has_distinct_tasks_and_points_in_range_for_every_update():
    for step in STEPS:
        batch = Batches(0, **SIZES)[step]
        assert batch.points.shape == (3, 4, 7)
        assert len(set(batch.tasks.tolist())) == 4
        assert set(batch.tasks.tolist()) <= set(range(9))
        assert ((batch.points >= 0) & (batch.points < 50)).all()
        assert not torch.equal(batch.points[0], batch.points[1])


def test_tasks_are_in_order_where_all_are_taken():
    batches = Batches(0, **SIZES | {"batch": 9})
    assert all(batches[step].tasks.tolist() == list(range(9)) for step in STEPS)


def test_every_task_and_every_observation_is_drawn_equally_often():
    batches = Batches(0, **SIZES)
    tasks = np.bincount(np.concatenate([batches[step].tasks for step in range(900)]), minlength=9)
    points = np.bincount(np.concatenate([batches[step].points.ravel() for step in range(900)]), minlength=50)
    assert np.abs(tasks / 400 - 1).max() < 0.2  # five standard deviations
    assert np.abs(points / 1512 - 1).max() < 0.13


def test_tasks_lay_the_trajectories_of_a_split_end_to_end(simulation):
    tasks = Tasks.of(simulation, torch.float64)
    assert len(tasks) == TASKS
    assert tasks.states.shape == (TASKS, TRAJECTORIES * TIMES, 3)
    np.testing.assert_array_equal(tasks.states.reshape(simulation.states.shape), simulation.states)
    torch.testing.assert_close(tasks.derivatives, 1000 * tasks.states)


def test_support_and_query_are_disjoint_and_together_everything(simulation):
    support, query = split_support(simulation, SUPPORT, SUPPORT * TIMES, seed=0)
    rows = {tuple(row) for row in support.states.reshape(-1, 3).tolist()}
    others = {tuple(row) for row in query.reshape(-1, 3).tolist()}
    assert not rows & others
    assert len(rows) + len(others) == TASKS * TRAJECTORIES * TIMES
    assert {trajectory for _, trajectory, _ in others} == {3, 4}
    assert query.shape == (TASKS, TRAJECTORIES - SUPPORT, TIMES, 3)


def test_support_holds_each_task_its_own_observations_once_with_their_derivatives(simulation):
    support, _ = split_support(simulation, SUPPORT, 10, seed=0)
    assert support.states.shape == (TASKS, 10, 3)
    assert support.states.dtype == torch.float64
    torch.testing.assert_close(support.derivatives, 1000 * support.states)
    for task in range(TASKS):
        assert set(support.states[task, :, 0].tolist()) == {task}
        assert len(support.states[task].unique(dim=0)) == 10


def test_support_is_nested_in_the_number_of_shots(simulation):
    largest, _ = split_support(simulation, SUPPORT, SUPPORT * TIMES, seed=0)
    for shots in range(1, SUPPORT * TIMES):
        torch.testing.assert_close(split_support(simulation, SUPPORT, shots, 0)[0].states, largest.states[:, :shots])


def test_support_is_drawn_at_random_by_the_seed_and_differently_for_each_task(simulation):
    first, again, other = (split_support(simulation, SUPPORT, 10, seed)[0].states for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert all(not torch.equal(first[task], other[task]) for task in range(TASKS))
    assert len({tuple(map(tuple, first[task, :, 1:].tolist())) for task in range(TASKS)}) == TASKS


def test_the_support_of_a_task_does_not_depend_on_how_many_tasks_there_are(simulation):
    few = Simulation(simulation.times, simulation.states[:2], simulation.derivatives[:2], simulation.parameters[:2])
    torch.testing.assert_close(
        split_support(few, SUPPORT, 10, 0)[0].states, split_support(simulation, SUPPORT, 10, 0)[0].states[:2]
    )
