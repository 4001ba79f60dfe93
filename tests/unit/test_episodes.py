"""Learners whose tasks are episodes: CAVIA written out a second time, and encoders, which search nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

import metastruct
from metastruct.config.schema import ConfigError, composed
from metastruct.data.recordings import Recordings
from metastruct.data.trajectory import Member
from metastruct.dynamics.dynamics import Scales
from metastruct.learners.episodic import Episodic
from metastruct.objectives.derivatives import Derivatives
from metastruct.running.assembly import build_model, component
from metastruct.running.experiment import run
from metastruct.running.validation import validate

TASKS, POINTS = 6, 40


@pytest.fixture(scope="module")
def recordings(oscillators) -> Recordings:
    """With the parameter of each, its stiffness beside one that never changes."""
    plain = oscillators(TASKS, POINTS)
    stiffness = torch.linspace(0.5, 2.0, TASKS, dtype=torch.float64)
    members = [
        replace(member, parameters=torch.stack([k, torch.ones_like(k)]).numpy())
        for member, k in zip(plain.members, stiffness, strict=True)
    ]
    return Recordings(members, torch.float64)


@pytest.fixture
def made(small, recordings):
    def learner(*words: str, steps: int = 10, parameters: int = 2) -> Episodic:
        cfg = small(*words, net__width=12, learner__task_batch=TASKS, learner__point_batch=8)
        torch.manual_seed(3)
        model = build_model(cfg, Scales.of(recordings.parts["states"], recordings.parts["derivatives"]))
        if cfg.encoder is not None and cfg.encoder.name == "told":
            encoder = component(cfg.encoder, states=2, inputs=0, parameters=parameters, code_dim=model.code_dim)
            model.encoder = encoder
        learner = component(
            cfg.learner,
            model=model,
            recordings=recordings,
            objective=Derivatives(),
            steps=steps,
            steps_per_epoch=5,
            seed=1,
            optimizer=component(cfg.optimizer, base_rate=0.01),
            locality={"lambda_z": 0.0, "lambda_phi": 0.0},
        ).double()
        learner.configure_optimizers()
        return learner

    return learner


def loss(learner: Episodic, x: Tensor, dxdt: Tensor, code: Tensor) -> Tensor:
    """Of one task, points `[points, state]` and a code `[code]`, written out."""
    model = learner.model
    residual = (model.vector_field(x[None], code[None])[0] - dxdt) / model.dynamics.derivative_std
    return (residual**2).sum(-1).mean()


@pytest.mark.parametrize("first_order", [False, True], ids=["second_order", "first_order"])
def test_cavia_is_a_loop_over_tasks_of_descent_on_their_codes(made, first_order):
    learner = made("learner=cavia", f"learner.first_order={first_order}", "learner.inner_rate=0.3")
    support, query = learner.drawn(0)
    losses = []
    for k in range(TASKS):
        z = torch.zeros(learner.model.code_dim, dtype=torch.float64)
        for _ in range(learner.inner_steps):
            at = z.detach().requires_grad_() if first_order else z.requires_grad_() if z.is_leaf else z
            value = loss(learner, support.states[k], support.derivatives[k], at)
            (slope,) = torch.autograd.grad(value, at, create_graph=not first_order)
            z = z - 0.3 * slope
        losses.append(loss(learner, query.states[k], query.derivatives[k], z) + learner.model.modulation.penalty())
    expected = torch.stack(losses)
    torch.testing.assert_close(learner.outer_losses(support, query), expected, rtol=1e-10, atol=1e-12)
    parameters = [p for p in learner.trained if p.requires_grad]
    ours = torch.autograd.grad(learner.outer_losses(support, query).sum(), parameters)
    theirs = torch.autograd.grad(expected.sum(), parameters)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10)


def test_orders_of_cavia_differ_in_their_gradients_alone(made):
    losses, gradients = [], []
    for first_order in (False, True):
        learner = made("learner=cavia", f"learner.first_order={first_order}", "learner.inner_rate=0.3")
        value = learner.outer_losses(*learner.drawn(0)).sum()
        losses.append(value.detach())
        gradients.append(torch.cat([g.flatten() for g in torch.autograd.grad(value, learner.trained)]))
    torch.testing.assert_close(*losses)
    assert float((gradients[0] - gradients[1]).norm()) > 1e-3 * float(gradients[0].norm())


@pytest.mark.parametrize(
    ("words", "steps"), [("learner=cavia learner.inner_rate=0.5", 100), ("learner=amortised", 900)]
)
def test_a_trained_learner_tells_tasks_apart_by_their_observations(made, words, steps):
    learner = made(*words.split(), steps=steps)
    learner.complete()
    support, query = (learner.drawn(0))[:2]
    codes = learner.adapted(support).detach()
    own, others = (float(learner.loss_of(query, each).detach().mean()) for each in (codes, codes.roll(TASKS // 2, 0)))
    assert own < 0.2 * others
    noise = learner.unexplained()
    assert 0 < float(noise.sum()) < 0.5 * others


def test_a_told_model_needs_no_observation_and_one_told_of_another_task_fails(made):
    learner = made("learner=amortised", "encoder=told", steps=300)
    learner.complete()
    support, query = (learner.drawn(0))[:2]
    codes = learner.adapted(support).detach()
    other = replace(support, states=torch.randn_like(support.states))
    assert torch.equal(learner.adapted(other), codes)
    own, wrong = (float(learner.loss_of(query, each).detach().mean()) for each in (codes, codes.roll(TASKS // 2, 0)))
    assert own < 0.2 * wrong
    encoder = learner.model.encoder
    torch.testing.assert_close(encoder.mean, torch.tensor([1.25, 1.0], dtype=torch.float64))
    assert float(encoder.std[1]) == 1.0  # of a parameter that never changes


def test_a_deep_set_knows_no_order_and_no_number_of_points(made):
    learner = made("learner=amortised")
    support = learner.drawn(0)[0]
    codes = learner.adapted(support).detach()
    points = torch.randperm(support.states.shape[-2])
    torch.testing.assert_close(learner.adapted(support.map(lambda part: part[..., points, :])), codes)
    twice = support.map(lambda part: torch.cat([part, part], dim=-2))
    torch.testing.assert_close(learner.adapted(twice), codes)
    masked = replace(twice, mask=torch.arange(twice.states.shape[-2]).expand(TASKS, -1) < len(points))
    strange = replace(masked, states=masked.states.where(masked.mask[..., None], torch.tensor(1e3)))
    torch.testing.assert_close(learner.adapted(strange), codes)
    moved = replace(support, derivatives=support.derivatives + 1.0)
    assert float((learner.adapted(moved).detach() - codes).abs().max()) > 1e-3


def test_any_number_of_points_is_encoded_in_a_training(made, monkeypatch):
    learner, sizes = made("learner=amortised"), []
    monkeypatch.setattr(
        learner, "outer_losses", lambda support, query: sizes.append(support.mask.sum(-1)) or query.states[..., 0, 0]
    )
    for step in range(60):
        batch = learner.batches[step]
        learner.losses(batch.tasks, batch.points)
    numbers = torch.cat(sizes).bincount(minlength=9)
    assert numbers[0] == 0
    assert (numbers[1:] > 0.5 * numbers[1:].float().mean()).all()


REFUSED = {
    "encoder=deep_set": "needs a learner that trains an encoder",
    "learner=amortised adaptation=levenberg_marquardt": "needs an adaptation by the encoder",
    "learner=amortised objective=weak data.observed=states": "needs an objective of single points",
    "adaptation=encoded": "needs a learner that trains an encoder",
    "adaptation=inner_loop": "needs a learner with an inner loop",
    "learner=cavia modulation=weights": "needs a modulation whose code is a few numbers",
    "learner=cavia learner.inner_rate=0": "inner_rate must be above 0",
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_does_not_fit_is_refused(words):
    with pytest.raises(ConfigError, match=REFUSED[words]):
        validate(composed(*words.split()))


def test_a_model_that_was_told_says_that_it_has_to_be(tmp_path):
    words = ("data.train_tasks=3", "data.test_tasks=2", "data.points=12", "data.horizon=1", "shots=10")
    small = ("net.width=6", "trainer.steps=2", "logger=none", "evaluation.figures=false", "evaluation.grid=11")
    folder = run(composed("learner=amortised", "encoder=told", *words, *small, f"outputs={tmp_path}"))
    model = metastruct.load(folder.path)
    states = torch.randn(10, 2).numpy()
    with pytest.raises(ValueError, match="has to be told the parameters"):
        model.adapt(states, states)


def test_a_family_without_parameters_cannot_be_told(made):
    with pytest.raises(ConfigError, match="needs a family whose members differ in parameters"):
        made("learner=amortised", "encoder=told", parameters=0)


def test_parameters_are_rows_of_recordings_where_members_have_them(recordings, oscillators):
    rows = recordings.read(("parameters",))["parameters"]
    assert rows.shape == (TASKS * POINTS, 2)
    assert torch.equal(rows[:POINTS], rows[:1].expand(POINTS, -1))
    assert not torch.equal(rows[0], rows[POINTS])
    assert oscillators(2, 5).read(("parameters",)) == {}
    assert isinstance(recordings.members[0], Member)
