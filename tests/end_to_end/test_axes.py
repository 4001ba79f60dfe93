"""The axes of the ablations: each goes from a word of the command line to the effect that it is named for."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from omegaconf import DictConfig, OmegaConf

import metastruct
from metastruct.config.schema import groups
from metastruct.running.assembly import build_learner, build_source
from metastruct.running.experiment import run
from metastruct.running.run import Run
from metastruct.running.trained import Trained
from metastruct.runs.folder import RunFolder

SHOTS = [1, 2, 5, 10, 30, 100, 300]
ALTERNATING = ("learner.schedule=alternating",)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    return tmp_path_factory.mktemp("axes") / "outputs"


@pytest.fixture(scope="module")
def started(tiny, outputs):
    """Runs a job of a second; gives its configuration, its folder and what was trained."""

    def job(*words: str) -> tuple[DictConfig, RunFolder, Trained]:
        cfg = tiny(outputs, *words)
        folder = run(cfg)
        return cfg, folder, Trained.load(cfg, folder.model.read_bytes(), Run.of(cfg).training.name)

    return job


def metrics_of(folder: RunFolder) -> dict:
    return json.loads(folder.metrics.read_text())


def size(tensors) -> float:
    return float(torch.cat([tensor.detach().flatten() for tensor in tensors]).norm())


def moved(cfg: DictConfig, trained: Trained) -> float:
    """How far the base went from where it began."""
    few = OmegaConf.merge(cfg, {"data": {"train_tasks": 1, "test_tasks": 1}})
    begin = build_learner(cfg, build_source(few, print).recordings()).model.dynamics
    pairs = zip(trained.model.dynamics.parameters(), begin.parameters(), strict=True)
    return size(end - start.double() for end, start in pairs)


# With training


def test_a_larger_weight_of_their_norm_makes_the_codes_smaller(started):
    free, held = (started(f"locality.lambda_z={weight}")[2] for weight in (0, 1e2))
    assert size([held.codes]) < 0.5 * size([free.codes])


def test_a_larger_weight_of_its_norm_makes_the_hypernetwork_smaller(started):
    free, held = (started(f"locality.lambda_phi={weight}")[2] for weight in (0, 1e2))
    assert size(held.model.modulation.hypernetwork.parameters()) < size(free.model.modulation.hypernetwork.parameters())


@pytest.mark.parametrize("rank", [1, 3])
def test_rank_is_the_number_of_singular_values(started, rank):
    _, _, trained = started(f"rank={rank}")
    values = trained.model.modulation.singular_values(trained.codes)
    assert {found.shape[-1] for found in values.values()} == {rank}


@pytest.mark.parametrize("code_dim", [1, 5])
def test_code_dim_is_the_size_of_a_code(started, code_dim):
    _, folder, trained = started(f"modulation.code_dim={code_dim}")
    assert trained.codes.shape == (4, code_dim)
    assert metrics_of(folder)["parameters"]["code"] == code_dim


def test_more_inner_steps_move_the_codes_further(started):
    few, many = (started(*ALTERNATING, f"learner.inner_steps={steps}")[2] for steps in (1, 4))
    assert size([many.codes]) > 1.5 * size([few.codes])


def test_more_outer_steps_move_the_base_further(started):
    few, many = (started(*ALTERNATING, f"learner.outer_steps={steps}") for steps in (1, 4))
    assert moved(many[0], many[2]) > 1.5 * moved(few[0], few[2])


def test_reset_codes_end_within_reach_of_zero_and_evolving_ones_beyond(started):
    words = (*ALTERNATING, "learner.inner_steps=2")
    cfg, _, reset = started(*words, "learner.codes=reset")
    _, _, evolving = started(*words, "learner.codes=evolving")
    reach = 1.01 * 2 * cfg.optimizer.code_rate  # two steps of Adam from rest
    assert 0 < reset.codes.abs().max() <= reach < evolving.codes.abs().max()


@pytest.mark.few(2)
@pytest.mark.parametrize("learner", groups()["learner"])
@pytest.mark.parametrize("tasks", [1, 5])
def test_fewer_training_tasks_need_no_other_word(composed, tmp_path, learner, tasks):
    words = ("logger=none", f"outputs={tmp_path}", "data.test_tasks=1", "data.points=10", "data.horizon=1", "shots=5")
    short = ("trainer.steps=2", "evaluation.steps=2", "adaptation.steps=2", "evaluation.grid=11", "net.width=8")
    more = ("evaluation.figures=false", "integrator.step_size=0.1")
    cfg = composed(f"learner={learner}", f"data.train_tasks={tasks}", *words, *short, *more)
    folder = run(cfg)
    assert np.isfinite(metrics_of(folder)["field_error"]["per_task"]).all()
    if learner == "auto_decoding":
        assert len(Trained.load(cfg, folder.model.read_bytes(), Run.of(cfg).training.name).codes) == tasks


def test_all_tasks_is_the_same_batch_as_more_than_there_are(started):
    _, exact, _ = started("learner.task_batch=4")
    _, more, _ = started("learner.task_batch=70")
    assert metrics_of(exact)["field_error"] == metrics_of(more)["field_error"]
    assert exact.path != more.path


# Without training


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("adaptation", "shots"),
    [*(("gradient", shots) for shots in SHOTS), ("levenberg_marquardt", 1), ("levenberg_marquardt", 300)],
)
def test_any_number_of_shots_is_measured_with_one_training(started, outputs, adaptation, shots):
    started("data.points=60")
    before = sorted((outputs / "training").iterdir())
    _, folder, _ = started("data.points=60", f"adaptation={adaptation}", f"shots={shots}")
    assert sorted((outputs / "training").iterdir()) == before
    assert metrics_of(folder)["shots"] == shots
    assert np.isfinite(metrics_of(folder)["field_error"]["per_task"]).all()


@pytest.mark.few(2)
@pytest.mark.parametrize("adaptation", groups()["adaptation"])
def test_one_observation_is_enough_for_every_adaptation(accepted, started, adaptation):
    few = () if adaptation == "closed_form" else ("adaptation.steps=5",)
    _, folder, _ = started(*accepted("adaptation", adaptation), "shots=1", *few)
    assert np.isfinite(metrics_of(folder)["field_error"]["per_task"]).all()
    member = metastruct.load(folder.path).adapt([[0.1, 0.2]], [[0.2, -0.1]])
    assert np.isfinite(member.vector_field([[0.1, 0.2]])).all()


@pytest.mark.parametrize("steps", [1, 3, 300])
def test_so_many_steps_are_taken_as_are_asked_for(started, steps):
    _, folder, _ = started("adaptation=gradient", f"evaluation.steps={steps}")
    with np.load(folder.evaluation) as arrays:
        assert len(arrays["trace"]) == steps + 1
    assert metrics_of(folder)["steps"] == steps


@pytest.mark.parametrize(("word", "norm"), [("zero", 0), ("mean", 1)])
def test_adaptation_begins_where_it_is_told(started, word, norm):
    tiny_step = ("adaptation=gradient", "evaluation.steps=1", "adaptation.learning_rate=1e-9")
    _, folder, trained = started(*tiny_step, f"evaluation.start={word}")
    mean = trained.codes.mean(0)
    assert mean.abs().max() > 1e-3
    with np.load(folder.evaluation) as arrays:
        np.testing.assert_allclose(arrays["test_codes"], np.tile(norm * mean.numpy(), (2, 1)), atol=1e-6)
