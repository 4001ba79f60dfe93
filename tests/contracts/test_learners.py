"""What every learner of conf/learner promises; a new yaml is tested without an edit."""

from __future__ import annotations

import copy
import io
from itertools import pairwise

import pytest
import torch

from metastruct.config.schema import Trainer
from metastruct.data.recordings import Recordings
from metastruct.dynamics.dynamics import Scales
from metastruct.learners.course import Diverged
from metastruct.learners.learner import Learner
from metastruct.objectives.derivatives import Derivatives
from metastruct.running.assembly import build_model, component
from metastruct.running.training import train

TASKS, POINTS = 5, 30


@pytest.fixture(scope="module")
def recordings(oscillators) -> Recordings:
    return oscillators(TASKS, POINTS)


@pytest.fixture(scope="module", params=["all_tasks", "some_tasks"])
def make(request, small, any_learner, recordings):
    """Makes a learner of a few units in float64, ready to step."""
    batch = TASKS if request.param == "all_tasks" else 2
    cfg = small(
        f"learner={any_learner}", learner__task_batch=batch, learner__point_batch=4
    )  # fmt: skip

    def made(seed: int = 0, steps: int = 8, quick: bool = False, **optimizer: float) -> Learner:
        torch.manual_seed(seed)
        if quick and cfg.optimizer.name != "sgd":  # whose rate is a share of the way that inner steps went
            optimizer = {"base_rate": 0.02, "code_rate": 0.05}
        learner = component(
            cfg.learner,
            model=build_model(cfg, Scales.of(recordings.parts["states"], recordings.parts["derivatives"])),
            recordings=recordings,
            objective=Derivatives(),
            steps=steps,
            steps_per_epoch=2,
            seed=seed,
            optimizer=component(cfg.optimizer, **optimizer),
            locality=dict(cfg.locality),
        ).double()
        learner.configure_optimizers()
        if not learner.steps:
            pytest.skip("trains nothing")
        return learner

    return made


def numbers(learner: Learner) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in learner.named_parameters()}


def assert_identical(a: Learner, b: Learner) -> None:
    ours, theirs = numbers(a), numbers(b)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_outer_step_returns_a_finite_loss_that_holds_no_graph(make):
    loss = make().outer_update(0)
    assert loss.isfinite()
    assert not loss.requires_grad


def test_every_parameter_moves_within_two_outer_steps(make):
    learner = make()
    before = numbers(learner)
    for step in range(2):
        learner.outer_update(step)
    for name, value in numbers(learner).items():
        assert not torch.equal(value, before[name]), f"{name} does not move"


def test_optimizer_moves_numbers_as_the_plain_one_would(make):
    """Fused Adam ignores strides: parameters and gradients must agree in theirs."""
    learner = make()
    learner.outer_update(0)
    for name, parameter in learner.named_parameters():
        if parameter.grad is not None and not parameter.grad.is_sparse:
            assert parameter.stride() == parameter.grad.stride(), name


def test_observations_are_not_parameters_and_not_saved(make):
    assert not any("observations" in name for name in make().state_dict())


@pytest.mark.few(5)
def test_training_depends_on_the_seed_alone(make):
    first, second, other = make(0), make(0), make(1)
    for learner in (first, second, other):
        torch.rand(3)
        for step in range(3):
            learner.outer_update(step)
    assert_identical(first, second)
    assert any(not torch.equal(a, numbers(other)[name]) for name, a in numbers(first).items())


@pytest.mark.few(4)
def test_a_learner_that_resumes_ends_with_the_numbers_of_one_that_was_never_stopped(make):
    whole, stopped, resumed = make(), make(), make()
    for step in range(6):
        whole.outer_update(step)
        if step < 3:
            stopped.outer_update(step)
    with torch.no_grad():
        for parameter in resumed.parameters():
            parameter.mul_(0.5)
    resumed.load_state_dict(copy.deepcopy(stopped.state_dict()))
    for new, old in zip(resumed.rules, stopped.rules, strict=True):
        new.load_state_dict(copy.deepcopy(old.state_dict()))
    for step in range(3, 6):
        resumed.outer_update(step)
    assert_identical(resumed, whole)


def test_learning_rates_fall_to_zero_after_a_warm_up(make):
    learner = make(steps=100, warmup=9)
    factors = [learner.optimizer.factor(step, learner.steps) for step in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert max(factors) == factors[9] < 1
    assert all(a > b for a, b in pairwise(factors[9:]))
    assert 0 < factors[-1] < 1e-3


@pytest.mark.few(2)
@pytest.mark.parametrize("make", ["some_tasks"], indirect=True)  # the noisier batches of the two
def test_loss_falls_on_an_easy_family(make):
    learner = make(steps=150, quick=True)
    losses = [float(learner.outer_update(step)) for step in range(150)]
    assert sum(losses[-20:]) < 0.2 * sum(losses[:20])


@pytest.mark.few(4)
def test_training_ends_at_its_last_step_and_is_done_once(make, tmp_path):
    settings = Trainer(accelerator="cpu", checkpoint_seconds=1000.0)
    learner = make(steps=5)
    content = torch.load(io.BytesIO(train(learner, tmp_path, settings, None)), weights_only=True)
    assert content["outer_step"] == 5
    assert [step for step, _ in content["history"]] == [2, 4, 5]
    expected = make(steps=5)
    for step in range(5):
        expected.outer_update(step)
    assert all(torch.equal(content["model"][n], value) for n, value in expected.model.state_dict().items())
    untouched = make(steps=5)
    train(untouched, tmp_path, settings, None)
    assert untouched.outer_step == 0


def test_a_loss_that_is_not_finite_stops_the_training_and_names_the_outer_step(make, tmp_path):
    settings = Trainer(accelerator="cpu", checkpoint_seconds=0.0)
    learner = make()
    learner.observations[:, learner.widths["states"] :] = float("nan")
    if learner.may_diverge:
        content = torch.load(io.BytesIO(train(learner, tmp_path, settings, None)), weights_only=True)
        assert content["diverged_at"] == 0
        assert all(value.isnan().all() for name, value in content["model"].items() if "nets" in name)
        return
    with pytest.raises(Diverged, match=r"not finite at outer step 0 of 8.*optimizer\.base_rate"):
        train(learner, tmp_path, settings, None)
    assert not list(tmp_path.glob("*.ckpt"))
