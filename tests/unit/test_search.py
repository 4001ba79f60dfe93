from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

from metastruct.facts import CONF
from metastruct.search.ranking import SEEDS, Plan, choose, next_job, shared_first
from metastruct.search.space import BASELINES, METHODS, MODULATIONS, SCHEDULES, law
from metastruct.search.trial import Row

PLAN = Plan(trials=3, finalists=1, screen=0.1, budget=100)
ROW = Row("pendulum", "maml", 0, 0, 10, 1, 0, "", "", 0.1, 0.1, 0, 0.1, 1.0)


def screened(learner: str, *scores: float) -> list[Row]:
    return [replace(ROW, learner=learner, trial=trial, score=score) for trial, score in enumerate(scores)]


def jobs(rows: list[Row], learner: str) -> list[tuple[int, int, int]]:
    """Trial, seed and budget of every job until nothing is left, each with a bad score."""
    done = []
    while job := next_job(rows, "pendulum", learner, PLAN):
        done.append((job.trial, job.seed, job.budget))
        rows = [*rows, replace(ROW, learner=learner, trial=job.trial, seed=job.seed, budget=job.budget, score=9.0)]
    return done


def test_every_trial_is_screened_then_the_best_goes_to_the_whole_budget_on_every_seed():
    assert jobs(screened("maml", 0.3), "maml")[:2] == [(1, 0, 10), (2, 0, 10)]
    assert jobs(screened("maml", 0.3, 0.1, 0.2), "maml") == [(1, seed, 100) for seed in SEEDS]


def test_finalists_stay_those_of_the_screening_whatever_the_whole_budget_says():
    rows = [*screened("maml", 0.3, 0.1, 0.2), replace(ROW, trial=1, budget=100, score=9.0)]
    assert jobs(rows, "maml") == [(1, 1, 100)]


def test_modulations_share_the_finalists_that_are_best_for_all_of_them_together():
    rows = [*screened("svd", 0.1, 0.4, 0.2), *screened("shift", 0.9, 0.4, 0.3)]
    assert shared_first(rows) == [2, 0, 1]
    for learner in ("svd", "shift"):
        assert jobs(rows, learner) == [(2, seed, 100) for seed in SEEDS]


def test_what_is_chosen_has_the_largest_budget_and_the_most_seeds():
    rows = [
        *screened("maml", 0.01, 0.02),
        *(replace(ROW, trial=1, seed=seed, budget=100, score=0.2) for seed in SEEDS),
        replace(ROW, trial=0, budget=100, score=0.1),
    ]
    chosen = choose(rows)["pendulum"]["maml"]
    assert (chosen["trial"], chosen["seeds"], chosen["budget"]) == (1, [*SEEDS], 100)


@pytest.mark.parametrize("name", METHODS)
def test_a_trial_is_the_same_whenever_it_is_drawn_and_the_first_is_the_yaml(name):
    method = METHODS[name]
    assert method.training(0) == []
    assert method.adaptation(0, 2)[0] == []
    assert [method.training(t) for t in range(5)] == [method.training(t) for t in range(5)]
    if method.trains:
        assert len({tuple(method.training(t)) for t in range(1, 9)}) > 1


def test_methods_of_a_kind_draw_alike_and_others_apart():
    assert len({MODULATIONS[name].stream for name in MODULATIONS}) == 1
    assert len({SCHEDULES[name].stream for name in SCHEDULES}) == 1
    assert len({method.stream for method in BASELINES.values()} | {5, 6}) == len(BASELINES) + 2


def test_the_draws_of_a_recorded_search_are_drawn_again():
    with open(CONF.parent / "outputs" / "reference" / "search" / "records.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["learner"] in METHODS]
    assert len({row["learner"] for row in rows}) > 5
    for row in rows:
        method, trial, variant = METHODS[row["learner"]], int(row["trial"]), int(row["variant"])
        assert " ".join(method.training(trial)) == row["training"]
        assert " ".join(method.adaptation(trial, 4)[variant]) == row["adaptation"]


@pytest.mark.parametrize(("declared", "inside"), [([3, 7], {3, 7}), ([True], {True})])
def test_a_list_declares_choices(declared, inside):
    rng = np.random.default_rng(0)
    assert {law(declared)(rng) for _ in range(30)} == inside


def test_two_ends_declare_a_law_between_them_that_is_uniform_in_the_logarithm():
    rng = np.random.default_rng(0)
    drawn = np.array([law("1e-3 to 1e-1")(rng) for _ in range(4000)])
    assert drawn.min() >= 1e-3
    assert drawn.max() <= 1e-1
    assert abs(np.log10(drawn).mean() + 2) < 0.05
    assert 0.018 < drawn.mean() < 0.026  # (high - low) / log(high / low); 0.05 of a uniform law
