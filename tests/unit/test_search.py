from __future__ import annotations

import csv
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import torch

from metastruct.config.facts import CONF, basis, headline_errors
from metastruct.evaluation.fitted import Learned
from metastruct.evaluation.protocol import evaluate
from metastruct.evaluation.summary import summary
from metastruct.learners.auto_decoding import AutoDecoding
from metastruct.paper.search import trial
from metastruct.paper.search.ranking import SEEDS, Extent, choose, next_attempt, read, shared_first
from metastruct.paper.search.space import BASELINES, METHODS, MODULATIONS, SCHEDULES, law
from metastruct.paper.search.trial import Row
from metastruct.running.assembly import build_learner, build_source, component
from metastruct.running.protocol import build_metrics, build_protocol
from metastruct.runs.tables import as_csv

SMALL = (
    *("net.width=8", "data.train_tasks=5", "data.test_tasks=1", "data.points=20", "data.horizon=2", "shots=10"),
    *("evaluation.grid=11", "modulation.scale=0.3", "learner.task_batch=3"),
)
HELD_OUT, STEPS = 2, 60
EXTENT = Extent(trials=3, finalists=1, screen=0.1, budget=100)
ROW = Row("pendulum", "maml", 0, 0, 10, 1, 0, "", "", {"field_error": 0.1, "trajectory_error": 0.1}, 0, 0.1, 1.0)


def screened(learner: str, *scores: float) -> list[Row]:
    return [replace(ROW, learner=learner, trial=trial, score=score) for trial, score in enumerate(scores)]


def attempts(rows: list[Row], learner: str) -> list[tuple[int, int, int]]:
    """Trial, seed and budget of every attempt until nothing is left, each with a bad score."""
    done = []
    while attempt := next_attempt(rows, "pendulum", learner, EXTENT):
        done.append((attempt.trial, attempt.seed, attempt.budget))
        rows = [
            *rows,
            replace(ROW, learner=learner, trial=attempt.trial, seed=attempt.seed, budget=attempt.budget, score=9.0),
        ]
    return done


def test_every_trial_is_screened_then_the_best_goes_to_the_whole_budget_on_every_seed():
    assert attempts(screened("maml", 0.3), "maml")[:2] == [(1, 0, 10), (2, 0, 10)]
    assert attempts(screened("maml", 0.3, 0.1, 0.2), "maml") == [(1, seed, 100) for seed in SEEDS]


def test_finalists_stay_those_of_the_screening_whatever_the_whole_budget_says():
    rows = [*screened("maml", 0.3, 0.1, 0.2), replace(ROW, trial=1, budget=100, score=9.0)]
    assert attempts(rows, "maml") == [(1, 1, 100)]


def test_modulations_share_the_finalists_that_are_best_for_all_of_them_together():
    rows = [*screened("svd", 0.1, 0.4, 0.2), *screened("shift", 0.9, 0.4, 0.3)]
    assert shared_first(rows) == [2, 0, 1]
    for learner in ("svd", "shift"):
        assert attempts(rows, learner) == [(2, seed, 100) for seed in SEEDS]


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


@pytest.fixture
def small_trials(monkeypatch):
    """Trials of small nets on few members, with two adaptations each."""
    whole = trial.checked
    monkeypatch.setattr(trial, "HELD_OUT", HELD_OUT)
    monkeypatch.setattr(trial, "VARIANTS", 2)
    monkeypatch.setattr(trial, "checked", lambda *words: whole(*words, *SMALL, "adaptation.steps=5"))


def attempt(outputs, method: str = "shift") -> tuple[trial.Attempt, int]:
    """A trial of so many outer steps, and what one of them costs."""
    config = trial.checked(*METHODS[method].overrides, f"outputs={outputs}")
    recordings = build_source(config, print).held_out(HELD_OUT).recordings()
    cost = build_learner(config, recordings).evaluations
    return trial.Attempt("pendulum", method, 0, 0, STEPS * cost), cost


def test_a_trial_has_the_numbers_of_a_plain_loop_of_outer_steps(small_trials, tmp_path):
    asked, _ = attempt(tmp_path)
    rows = list(trial.rows_of(asked, str(tmp_path)))
    words = asked.method.overrides
    config = trial.checked(*words, *basis(words), f"outputs={tmp_path}")
    source = build_source(config, print).held_out(HELD_OUT)
    learner = build_learner(config, source.recordings())
    learner.steps = STEPS
    learner.configure_optimizers()
    for step in range(STEPS):
        learner.outer_update(step)
    start = learner.codes.detach().double().mean(0).expand(HELD_OUT, -1)
    learned = Learned(learner.model.double().eval(), learner.objective, start)
    protocol = replace(build_protocol(config), metrics=build_metrics(headline_errors()))
    measured = summary(evaluate(learned, protocol, component(config.adaptation), component(config.integrator), source))
    assert rows[0].steps == STEPS
    for name in headline_errors():
        assert rows[0].errors[name] == measured[name]["mean"]
    assert len(rows) == 2


@pytest.mark.torture
def test_a_trial_is_judged_by_every_error_of_the_headline(small_trials, tmp_path, monkeypatch):
    """Whatever their number: a metric is one file and one yaml."""
    monkeypatch.setattr(trial, "headline_errors", lambda: ("field_error", "support_loss", "trajectory_error"))
    asked, _ = attempt(tmp_path)
    row, _ = trial.rows_of(asked, str(tmp_path))
    assert row.score == pytest.approx(np.prod([*row.errors.values()]) ** (1 / 3))
    assert choose([row])["pendulum"]["shift"]["support_loss"] == row.errors["support_loss"] > 0


def test_rows_come_back_from_a_file_with_the_errors_that_each_of_them_has(tmp_path):
    rows = [ROW, replace(ROW, trial=1, errors={**ROW.errors, "ssim": 0.9})]
    (tmp_path / "records.csv").write_text(as_csv([row.line for row in rows]))
    assert read(tmp_path / "records.csv") == rows


@pytest.mark.few(1)
@pytest.mark.parametrize("at", [0, 7, STEPS - 2])
def test_a_trial_whose_loss_is_not_finite_in_any_step_has_lost(small_trials, tmp_path, monkeypatch, at):
    asked, _ = attempt(tmp_path)
    update, made = AutoDecoding.outer_update, []

    def broken(learner, step):
        made.append(step)
        return update(learner, step) * (torch.nan if step == at else 1.0)

    monkeypatch.setattr(AutoDecoding, "outer_update", broken)
    rows = list(trial.rows_of(asked, str(tmp_path)))
    assert len(rows) == 2
    assert all(row.score == np.inf and row.diverged == HELD_OUT and np.isnan(row.errors["field_error"]) for row in rows)
    assert len(made) <= 50 * (at // 50 + 1)


def test_an_adaptation_with_a_prior_takes_that_of_the_training_codes(small_trials, tmp_path, monkeypatch):
    asked, _ = attempt(tmp_path)
    seen = []
    monkeypatch.setattr("metastruct.evaluation.protocol.Adapted", lambda learned, *_: seen.append(learned.prior))
    with suppress(Exception):
        list(trial.rows_of(asked, str(tmp_path)))
    (prior,) = seen
    assert prior.codes.shape == (3, prior.mean.shape[-1])
    assert (prior.noise > 0).all()
    assert not torch.equal(prior.noise, torch.ones_like(prior.noise))
