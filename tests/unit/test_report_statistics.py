"""The ratio of two errors and its interval."""

from __future__ import annotations

import numpy as np
import pytest

from metastruct.config.published import METRICS
from metastruct.paper.results import Result, Results
from metastruct.paper.statistics import front, interval, ratio

FIELD, TRAJECTORY = METRICS


def results(errors, first_seed=0):
    """One run for each row of errors `[seeds, tasks]`."""
    return Results("t", tuple(
        Result({"seed": str(first_seed + i), "run": f"r{i}"}, {FIELD: row, TRAJECTORY: row}, ("a",) * len(row))
        for i, row in enumerate(np.asarray(errors, float))
    ))  # fmt: skip


def test_the_ratio_is_that_of_geometric_means_over_shared_seeds():
    one, other = [[1.0, 4.0], [2.0, 2.0]], [[2.0, 2.0], [8.0, 8.0], [9.0, 9.0]]
    found = ratio(results(one), results(other), FIELD)
    assert found is not None
    assert found.value == pytest.approx((1 * 4 * 2 * 2 / (2 * 2 * 8 * 8)) ** 0.25)
    assert found.seeds == 2
    assert found.low <= found.value <= found.high


def test_runs_without_a_common_seed_cannot_be_compared():
    assert ratio(results([[1.0]]), results([[1.0]], first_seed=1), FIELD) is None


def test_what_two_settings_share_drops_out():
    rng = np.random.default_rng(0)
    errors = np.exp(rng.normal(size=(3, 10)))  # tasks and seeds differ by far more than the settings do
    found = ratio(results(0.9 * errors), results(errors), FIELD)
    assert (found.low, found.high) == pytest.approx((0.9, 0.9))
    assert found.below
    assert not found.above


def test_a_diverged_task_counts_with_the_limit():
    found = ratio(results([[np.nan, np.inf, 1e9]]), results([[10.0, 10.0, 10.0]]), TRAJECTORY)
    assert found.value == pytest.approx(1.0)


def test_two_runs_of_one_seed_are_refused():
    pair = Results("t", (*results([[1.0]]).runs, *results([[2.0]]).runs))
    with pytest.raises(ValueError, match="one run a seed, got two of seed 0"):
        ratio(pair, pair, FIELD)


@pytest.mark.parametrize(
    ("of_seeds", "of_tasks", "noise"), [(1.0, 0.0, 0.0), (0.3, 0.3, 0.3), (0.0, 1.0, 0.3), (0.0, 0.0, 1.0)]
)
def test_the_interval_of_three_seeds_and_ten_tasks_covers_the_truth_as_often_as_it_says(of_seeds, of_tasks, noise):
    rng = np.random.default_rng(7)
    trials, inside = 400, 0
    for _ in range(trials):
        seeds, tasks = of_seeds * rng.normal(size=(3, 1)), of_tasks * rng.normal(size=(1, 10))
        found = interval(0.5 + seeds + tasks + noise * rng.normal(size=(3, 10)))
        inside += found.low <= np.exp(0.5) <= found.high
    assert inside / trials > 0.92


def test_a_plain_bootstrap_of_three_seeds_would_not_cover():
    rng = np.random.default_rng(7)
    trials, inside = 400, 0
    for _ in range(trials):
        seeds = rng.normal(size=3)
        low, high = np.quantile(seeds[rng.integers(3, size=(2000, 3))].mean(axis=1), [0.025, 0.975])
        inside += low <= 0 <= high
    assert inside / trials < 0.85


def test_the_interval_is_not_wider_than_student_would_have_it():
    from scipy.stats import t

    rng = np.random.default_rng(1)
    ratios = []
    for _ in range(200):
        seeds = rng.normal(size=3)
        found = interval(np.repeat(seeds[:, None], 10, axis=1))
        student = 2 * t.ppf(0.975, 2) * seeds.std(ddof=1) / np.sqrt(3)
        ratios.append(np.log(found.high / found.low) / student)
    assert 0.9 < np.median(ratios) < 1.1
    assert max(ratios) < 1.2


def test_with_one_seed_the_interval_speaks_of_tasks():
    found = interval(np.array([[0.0, 1.0, 2.0, 3.0]]))
    assert found.seeds == 1
    assert found.low < found.value < found.high


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
