"""The ratio of two errors and its interval."""

from __future__ import annotations

import numpy as np
import pytest

from metastruct.config.published import METRICS
from metastruct.evaluation.effects import Effects, Estimate, moderated
from metastruct.paper.results import Result, Results
from metastruct.paper.statistics import differences, front

FIELD, TRAJECTORY = METRICS


def results(errors, first_seed=0):
    """One run for each row of errors `[seeds, tasks]`."""
    return Results("t", tuple(
        Result({"seed": str(first_seed + i), "run": f"r{i}"}, {FIELD: row, TRAJECTORY: row}, ("a",) * len(row))
        for i, row in enumerate(np.asarray(errors, float))
    ))  # fmt: skip


def ratio(one, other, metric):
    array = differences(one, other, metric)
    return None if array is None else Estimate.of(array)


def test_the_ratio_is_that_of_geometric_means_over_shared_seeds():
    one, other = [[1.0, 4.0], [2.0, 2.0]], [[2.0, 2.0], [8.0, 8.0], [9.0, 9.0]]
    found = ratio(results(one), results(other), FIELD)
    assert found is not None
    assert np.exp(found.mean) == pytest.approx((1 * 4 * 2 * 2 / (2 * 2 * 8 * 8)) ** 0.25)
    assert (found.seeds, found.tasks) == (2, 2)
    assert found.low <= found.mean <= found.high


def test_runs_without_a_common_seed_cannot_be_compared():
    assert ratio(results([[1.0]]), results([[1.0]], first_seed=1), FIELD) is None


def test_what_two_settings_share_drops_out():
    rng = np.random.default_rng(0)
    errors = np.exp(rng.normal(size=(3, 10)))  # tasks and seeds differ by far more than the settings do
    found = ratio(results(0.9 * errors), results(errors), FIELD)
    assert np.exp([found.low, found.high]) == pytest.approx((0.9, 0.9), rel=1e-5)


def test_a_diverged_task_counts_with_the_limit():
    found = ratio(results([[np.nan, np.inf, 1e9]]), results([[10.0, 10.0, 10.0]]), TRAJECTORY)
    assert found.mean == pytest.approx(0.0)


def test_two_runs_of_one_seed_are_refused():
    pair = Results("t", (*results([[1.0]]).runs, *results([[2.0]]).runs))
    with pytest.raises(ValueError, match="one run a seed, got two of seed 0"):
        ratio(pair, pair, FIELD)


@pytest.mark.parametrize(
    ("of_seeds", "of_tasks", "noise"), [(1.0, 0.0, 0.0), (0.3, 0.3, 0.3), (0.0, 1.0, 0.3), (0.0, 0.0, 1.0)]
)
def test_the_interval_of_three_seeds_and_ten_tasks_covers_the_truth_as_often_as_it_says(of_seeds, of_tasks, noise):
    rng = np.random.default_rng(7)
    trials, inside, normal = 400, 0, 0
    for _ in range(trials):
        seeds, tasks = of_seeds * rng.normal(size=(3, 1)), of_tasks * rng.normal(size=(1, 10))
        found = Estimate.of(0.5 + seeds + tasks + noise * rng.normal(size=(3, 10)))
        inside += found.low <= 0.5 <= found.high
        normal += abs(found.mean - 0.5) < 1.96 * found.variance**0.5
    assert inside / trials > 0.93
    assert of_seeds < 1 or normal / trials < 0.87  # what it would be without degrees of freedom


def test_one_column_has_the_interval_of_student():
    seeds = np.random.default_rng(1).normal(size=4)
    found = Estimate.of(seeds[:, None])
    width = 3.182446 * seeds.std(ddof=1) / 2
    assert (found.low, found.high) == pytest.approx((seeds.mean() - width, seeds.mean() + width))


def test_with_one_seed_the_interval_speaks_of_tasks():
    found = Estimate.of(np.array([[0.0, 1.0, 2.0, 3.0]]))
    assert found.seeds == 1
    assert found.low < found.mean < found.high


def test_moderated_variances_learn_from_each_other_where_they_agree():
    rng = np.random.default_rng(0)
    alike = [Estimate.of(rng.normal(size=(3, 10))) for _ in range(40)]
    before, after = (np.log([one.variance for one in part]).std() for part in (alike, moderated(alike)))
    assert after < 0.3 * before
    scales = np.exp(3 * rng.normal(size=40))
    apart = [Estimate.of(scale * rng.normal(size=(3, 10))) for scale in scales]
    kept = [one.variance for one in moderated(apart)]
    assert np.corrcoef(np.log(kept), np.log([one.variance for one in apart]))[0, 1] > 0.95


def effects(truths, scale=0.3, seeds=5, seed=0):
    rng = np.random.default_rng(seed)
    arrays = [truth + scale * rng.normal(size=(seeds, 1)) + scale * rng.normal(size=(seeds, 10)) for truth in truths]
    labels = [str(place) for place in range(len(arrays))]
    return Effects.of(labels, arrays, labels)


def test_comparisons_borrow_from_each_other_only_where_they_agree():
    alike = effects(np.full(12, -0.2))
    assert alike.shrunk.std() < 0.5 * alike.means.std()
    apart = effects(np.linspace(-3, 3, 12))
    assert np.abs(apart.shrunk - apart.means).max() < 0.05


def test_a_pooled_ratio_and_one_given_all_comparisons_cover_the_truth():
    pooled, given = [], []
    for trial in range(100):
        truths = -0.2 + 0.2 * np.random.default_rng([trial, 1]).normal(size=8)
        part = effects(truths, seed=trial)
        pooled.append(part.pooled.low < part.weights @ truths < part.pooled.high)
        given += [0.025 < part.beyond(truth)[place] < 0.975 for place, truth in enumerate(truths)]
    assert np.mean(pooled) > 0.9
    assert np.mean(given) > 0.92


def test_the_front_holds_what_nothing_smaller_beats():
    points = [
        (3, 0.2, "c"),
        (1, 0.5, "a"),
        (2, 0.6, "beaten"),
        (3, 0.3, "beaten at its size"),
        (4, 0.2, "no better"),
        (5, 0.1, "d"),
    ]
    assert [name for *_, name in front(points)] == ["a", "c", "d"]
    assert front([]) == []
