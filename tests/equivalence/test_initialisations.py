"""MAML, ANIL and Reptile written out a second time: one task after another, weights as weights, nested autograd.

The reference knows neither codes nor sites: a plain torch MLP called functionally on dictionaries of its weights.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from reference import NET
from torch import Tensor, nn

from metastruct.data.recordings import Recordings
from metastruct.dynamics.dynamics import Scales
from metastruct.learners.initialisation import Initialisation
from metastruct.objectives.derivatives import Derivatives
from metastruct.running.assembly import build_model, component

TASKS, POINTS, STEPS, RATE = 4, 20, 3, 0.03
SITES = ("input", "hidden1", "hidden2", "output")
OURS = {"weight": "weights", "bias": "biases"}
Weights = dict[str, Tensor]


@pytest.fixture(scope="module")
def recordings(oscillators) -> Recordings:
    return oscillators(TASKS, POINTS)


@pytest.fixture
def make(small, recordings) -> Callable[..., Initialisation]:
    def made(name: str, **settings: object) -> Initialisation:
        shared = {"learner__task_batch": 3, "learner__point_batch": 5, "learner__inner_steps": STEPS}
        cfg = small(f"learner={name}", net__width=7, **shared, learner__inner_rate=RATE, **settings)
        torch.manual_seed(3)
        learner = component(
            cfg.learner,
            model=build_model(cfg, Scales.of(recordings.parts["states"], recordings.parts["derivatives"])),
            recordings=recordings,
            objective=Derivatives(),
            steps=10,
            steps_per_epoch=5,
            seed=1,
            optimizer=component(cfg.optimizer),
            locality={"lambda_z": 0.05, "lambda_phi": 0.02},
        ).double()
        learner.configure_optimizers()
        return learner

    return made


class Plain:
    """H as a torch MLP with SiLU, its weights given as a dictionary."""

    def __init__(self, learner: Initialisation):
        own = learner.model.dynamics
        self.mean, self.std, self.derivative_std = own.state_mean, own.state_std, own.derivative_std
        self.scale = own.energy_scale
        width = learner.model.state_dict()[f"{NET}.weights.input"].shape[0]
        layers = nn.Sequential()
        for i, site in enumerate(SITES):
            last = site == "output"
            layers.add_module(site, nn.Linear(width if i else 2, 1 if last else width, bias=not last))
            if not last:
                layers.add_module(f"act{i}", nn.SiLU())
        self.net = layers.double()
        self.weights: Weights = {}
        for name in dict(self.net.named_parameters()):
            site, kind = name.split(".")
            theirs = OURS[kind]
            value = learner.model.state_dict()[f"{NET}.{theirs}.{site}"]
            self.weights[name] = value.clone().requires_grad_()

    def loss(self, weights: Weights, x: Tensor, dxdt: Tensor) -> Tensor:
        """Of one task, points `[points, state]`."""
        x = x.clone().requires_grad_()
        h = self.scale * torch.func.functional_call(self.net, weights, ((x - self.mean) / self.std,))
        (gradient,) = torch.autograd.grad(h.sum(), x, create_graph=True)
        by_q, by_p = gradient.unbind(-1)
        residual = (torch.stack([by_p, -by_q], -1) - dxdt) / self.derivative_std
        return (residual**2).sum(-1).mean()


def change_of(learner: Initialisation, name: str) -> Tensor:
    """The gradient that the learner has left at a weight of the reference."""
    site, kind = name.split(".")
    parameters = dict(learner.model.named_parameters())
    return parameters[f"{NET}.{OURS[kind]}.{site}"].grad


def rates_of(learner: Initialisation, plain: Plain) -> tuple[Tensor, dict[str, Tensor]]:
    """Leaves of the logarithms, different for each tensor, given to the learner and returned by weight."""
    names = [(site.name.split(".")[-1], part) for site, part, _ in learner.weights.layout]
    logs = torch.log(RATE * torch.linspace(0.5, 1.5, len(names), dtype=torch.float64)).requires_grad_()
    with torch.no_grad():
        learner.log_rates.copy_(logs)
    kinds = {"change": "weight", "shift": "bias"}
    return logs, {f"{site}.{kinds[part]}": logs[i].exp() for i, (site, part) in enumerate(names)}


def assert_same(ours: Tensor, theirs: Tensor) -> None:
    """Equal up to round-off, relative to the largest entry."""
    assert float((ours - theirs).abs().max()) <= 1e-12 * float(theirs.abs().max())


@pytest.mark.parametrize("first_order", [False, True], ids=["second_order", "first_order"])
@pytest.mark.parametrize("name", ["maml", "anil"])
def test_losses_and_outer_gradients_are_those_of_a_loop_over_tasks(make, name, first_order):
    learner = make(name, learner__first_order=first_order, learner__learn_rates=True)
    plain = Plain(learner)
    logs, rates = rates_of(learner, plain)
    assert set(rates) == ({"output.weight"} if name == "anil" else set(plain.weights))
    support, query = learner.drawn(0)
    (x, dxdt), (new_x, new_dxdt) = ((each.states, each.derivatives) for each in (support, query))
    losses = []
    for k in range(len(x)):
        weights = dict(plain.weights)
        for _ in range(STEPS):
            inner = {n: weights[n] for n in rates}
            gradients = torch.autograd.grad(
                plain.loss(weights, x[k], dxdt[k]), list(inner.values()), create_graph=True
            )  # fmt: skip
            if first_order:
                gradients = [gradient.detach() for gradient in gradients]
            weights |= {n: inner[n] - rates[n] * g for n, g in zip(inner, gradients, strict=True)}
        losses.append(plain.loss(weights, new_x[k], new_dxdt[k]))
    loss = torch.stack(losses).mean()
    *expected, by_rates = torch.autograd.grad(loss, [*plain.weights.values(), logs])

    ours = learner.outer_losses(support, query)
    assert_same(ours.detach(), torch.stack(losses).detach())
    learner.outer_update(0)
    for weight, gradient in zip(plain.weights, expected, strict=True):
        assert_same(change_of(learner, weight), gradient)
    assert_same(learner.log_rates.grad, by_rates)


@pytest.mark.parametrize("name", ["maml", "anil"])
def test_second_and_first_order_differ(make, name):
    gradients = []
    for first_order in (False, True):
        learner = make(name, learner__first_order=first_order)
        learner.outer_update(0)
        gradients.append(change_of(learner, "hidden1.weight"))
    assert (gradients[0] - gradients[1]).norm() > 1e-3 * gradients[0].norm()


@pytest.mark.parametrize("name", ["maml", "anil"])
def test_every_outer_parameter_receives_a_gradient(make, name):
    learner = make(name, learner__learn_rates=True)
    learner.outer_update(0)
    for parameter_name, parameter in learner.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert (parameter.grad.abs().amax(-1) > 0).all(), parameter_name


def test_learned_rates_are_those_of_the_model_that_is_saved(make):
    learner = make("maml", learner__learn_rates=True)
    learner.outer_update(0)
    kept = learner.model.state_dict()["modulation.rates"]
    torch.testing.assert_close(kept, learner.log_rates.detach().exp())
    assert (kept / RATE - 1).abs().min() > 1e-3


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_reptile_moves_towards_the_mean_of_weights_adapted_one_task_after_another(make, optimizer):
    learner = make("reptile", learner__inner_optimizer=optimizer, optimizer__base_rate=0.4)
    plain = Plain(learner)
    adapted: list[Weights] = []
    losses = []
    draws = learner.drawn(0)
    assert len(draws) == STEPS
    for k in range(3):
        weights = {name: value.detach().clone().requires_grad_() for name, value in plain.weights.items()}
        second = {name: torch.zeros_like(value) for name, value in weights.items()}
        for step, draw in enumerate(draws, 1):
            loss = plain.loss(weights, draw.states[k], draw.derivatives[k])
            gradients = dict(zip(weights, torch.autograd.grad(loss, list(weights.values())), strict=True))
            for name, gradient in gradients.items():
                move = gradient
                if optimizer == "adam":
                    second[name] = 0.999 * second[name] + 0.001 * gradient**2
                    move = gradient / ((second[name] / (1 - 0.999**step)).sqrt() + 1e-8)
                weights[name] = (weights[name].detach() - RATE * move).requires_grad_()
        losses.append(float(loss.detach()))
        adapted.append(weights)
    assert float(learner.outer_update(0)) == pytest.approx(sum(losses) / 3, rel=1e-12)
    after = Plain(learner).weights
    for name, before in plain.weights.items():
        mean = sum(weights[name].detach() for weights in adapted) / 3
        assert_same(after[name].detach(), (before + 0.4 * (mean - before)).detach())


def test_pretraining_is_gradient_descent_on_the_pooled_loss(make):
    learner = make("pretrained")
    plain = Plain(learner)
    (draw,) = learner.drawn(0)
    pooled = plain.loss(plain.weights, draw.states.flatten(0, 1), draw.derivatives.flatten(0, 1))
    expected = torch.autograd.grad(pooled, list(plain.weights.values()))
    assert float(learner.outer_update(0)) == pytest.approx(float(pooled.detach()), rel=1e-12)
    for name, gradient in zip(plain.weights, expected, strict=True):
        assert_same(change_of(learner, name), gradient)
