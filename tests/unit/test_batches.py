"""Batches are drawn uniformly, per task, as a function of the seed and the step alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from metastruct.data.batches import Batches

EVEN, RAGGED = np.full(9, 50), np.array([50, 3, 20, 1, 7, 33, 2, 50, 11])
SIZES = {"batch": 4, "draws": 7, "updates": 3}
STEPS = [0, 1, 63, 64, 65, 200]


@pytest.fixture(params=[EVEN, RAGGED], ids=["even", "ragged"])
def counts(request) -> np.ndarray:
    return request.param


def same(one, other) -> bool:
    return torch.equal(one.tasks, other.tasks) and torch.equal(one.points, other.points)


def test_a_batch_depends_only_on_the_seed_and_the_step(counts):
    forward, backward = Batches(3, counts, **SIZES), Batches(3, counts, **SIZES)
    walked = {step: forward[step] for step in range(201)}
    for step in reversed(STEPS):
        assert same(walked[step], backward[step])
        assert same(walked[step], Batches(3, counts, **SIZES)[step])


def test_every_step_and_every_seed_has_its_own_batch(counts):
    drawn = [Batches(seed, counts, **SIZES)[step] for seed in (0, 1) for step in STEPS]
    for i, one in enumerate(drawn):
        assert not any(torch.equal(one.points, other.points) for other in drawn[:i])
    assert len({tuple(batch.tasks.tolist()) for batch in drawn}) > len(drawn) / 2


def test_a_batch_has_distinct_tasks_and_points_in_range_for_every_update(counts):
    for step in STEPS:
        batch = Batches(0, counts, **SIZES)[step]
        assert batch.points.shape == (3, 4, 7)
        assert len(set(batch.tasks.tolist())) == 4
        assert set(batch.tasks.tolist()) <= set(range(9))
        assert ((batch.points >= 0) & (batch.points < torch.from_numpy(counts)[batch.tasks][:, None])).all()
        assert not torch.equal(batch.points[0], batch.points[1])


def test_tasks_are_in_order_where_all_are_taken(counts):
    batches = Batches(0, counts, **SIZES | {"batch": 9})
    assert all(batches[step].tasks.tolist() == list(range(9)) for step in STEPS)


def test_every_task_and_every_observation_of_a_task_is_drawn_equally_often(counts):
    batches = Batches(0, counts, **SIZES)
    drawn = [batches[step] for step in range(900)]
    tasks = np.bincount(np.concatenate([batch.tasks for batch in drawn]), minlength=9)
    assert np.abs(tasks / 400 - 1).max() < 0.2  # five standard deviations
    for task, count in enumerate(counts):
        rows = torch.cat([batch.points[:, batch.tasks == task].flatten() for batch in drawn])
        often, expected = np.bincount(rows, minlength=count), len(rows) / count
        assert np.abs(often - expected).max() < 5 * np.sqrt(expected)


def test_a_task_of_one_observation_among_larger_ones_gives_that_one():
    batches = Batches(0, RAGGED, **SIZES | {"batch": 9})
    assert all((batches[step].points[:, 3] == 0).all() for step in range(100))
