"""Seeds trained as one end with the numbers of trainings of their own."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from metastruct.config.facts import facts_of
from metastruct.config.schema import ConfigError, Trainer
from metastruct.dynamics import unstructured
from metastruct.dynamics.brackets import gnode
from metastruct.dynamics.brackets.gnode import GNODE
from metastruct.dynamics.dynamics import Scales
from metastruct.dynamics.unstructured import Unstructured
from metastruct.learners.learner import Learner
from metastruct.learners.replicas import together
from metastruct.nets import mlp
from metastruct.nets.mlp import MLP
from metastruct.nets.net import MakeNet
from metastruct.nets.site import Updates
from metastruct.running.assembly import build_learner, component
from metastruct.running.group import train_together
from metastruct.running.training import train, trained
from metastruct.runs.files import locked

SEEDS, STEPS = (0, 1, 2), 20
PROTOCOLS = {
    "some_tasks": ("learner.task_batch=3",),
    "alternating": ("learner.schedule=alternating", "learner.inner_steps=2"),
    "alternating_some_tasks": ("learner.schedule=alternating", "learner.inner_steps=2", "learner.task_batch=3"),
    "reset": ("learner.schedule=alternating", "learner.codes=reset", "learner.inner_steps=2"),
    "reset_some_tasks": ("learner.schedule=alternating", "learner.codes=reset", "learner.task_batch=3"),
    "exact_bases": ("modulation=svd", "modulation.exact=true"),
    "deep_hypernetwork": ("modulation=svd", "modulation.hidden=4"),
    "first_order_at_a_fixed_rate": ("learner=maml", "learner.first_order=true", "learner.learn_rates=false"),
    "descent_inside": ("learner=reptile", "learner.inner_optimizer=sgd"),
}
MakeLearner = Callable[[int], Learner]


@pytest.fixture(scope="module")
def make(composed, small, oscillators) -> Callable[..., MakeLearner]:
    """Makes what makes a learner of a seed in float64, ready to step, from the words of a command line."""

    def maker(*words: str) -> MakeLearner:
        size = component(composed(*words).system).state_dim
        recordings = oscillators(5, 30, size)
        frame = {"learner.task_batch": 5, "learner.point_batch": 4, "modulation.scale": 0.3, "locality.lambda_z": 0.05}
        frame |= {"trainer.steps": 40, "trainer.steps_per_epoch": 4, "locality.lambda_phi": 0.02}
        given = {word.partition("=")[0] for word in words}
        cfg = small(*words, **{key.replace(".", "__"): v for key, v in frame.items() if key not in given})

        def made(seed: int) -> Learner:
            cfg.seed = seed
            learner = build_learner(cfg, recordings).double()
            learner.configure_optimizers()
            return learner

        return made

    return maker


def group(make: MakeLearner, seeds: tuple[int, ...] = SEEDS) -> Learner:
    learner = together([make(seed) for seed in seeds])
    learner.configure_optimizers()
    return learner


def assert_close(ours: torch.Tensor, theirs: torch.Tensor, name: str = "") -> None:
    torch.testing.assert_close(ours.detach(), theirs.detach(), rtol=1e-9, atol=1e-9, msg=lambda why: f"{name}: {why}")


def assert_same_training(make: MakeLearner) -> None:
    all_at_once = group(make)
    losses = torch.stack([all_at_once.outer_update(step) for step in range(STEPS)])
    assert losses.shape == (STEPS, len(SEEDS))
    ours = all_at_once.own()
    for i, seed in enumerate(SEEDS):
        alone = make(seed)
        begun = {name: tensor.detach().clone() for name, tensor in alone.own().items()}
        assert_close(losses[:, i], torch.stack([alone.outer_update(step) for step in range(STEPS)]))
        for name, theirs in alone.own().items():
            assert_close(ours[name][i], theirs, name)
        assert any(not torch.equal(alone.own()[name], value) for name, value in begun.items())
        kept, single = all_at_once.results()[i], alone.results()[0]
        assert kept["model"].keys() == single["model"].keys()
        assert_close(kept["codes"], single["codes"])
        for name, theirs in single["model"].items():
            assert_close(kept["model"][name], theirs, name)
    assert not torch.allclose(losses[-1, 0], losses[-1, 1], rtol=1e-6)


@pytest.mark.few(1)
def test_every_learner_trains_several_seeds_as_it_trains_one(make, any_learner):
    if not facts_of("learner", any_learner).trains:
        pytest.skip("trains nothing")
    assert_same_training(make(f"learner={any_learner}"))


@pytest.mark.few(1)
def test_every_modulation_trains_several_seeds_as_it_trains_one(make, accepted, any_modulation):
    assert_same_training(make(*accepted("modulation", any_modulation)))


@pytest.mark.few(1)
def test_every_arrangement_trains_several_seeds_as_it_trains_one(make, arrangement):
    # By Adam, for SOAP's eigenvectors of small eigenvalues are left to round-off: on a lattice one training alone ends
    # 4.5e-6 of its loss away from another that began 1e-15 beside it. tests/unit/test_soap.py has SOAP's replicas.
    assert_same_training(make(*arrangement.overrides, "modulation=svd", "optimizer=adam"))


@pytest.mark.few(1)
@pytest.mark.parametrize("words", PROTOCOLS.values(), ids=PROTOCOLS)
def test_every_protocol_trains_several_seeds_as_it_trains_one(make, words):
    assert_same_training(make(*words))


class Stretched(MLP):
    """A net with random numbers that no training moves."""

    def __init__(self, in_features: int, *others: Any, **settings: Any):
        super().__init__(in_features, *others, **settings)
        self.register_buffer("stretch", self.drawn(in_features), persistent=self.persistent)

    @staticmethod
    def drawn(size: int) -> torch.Tensor:
        return 0.5 + torch.rand(size)

    def forward(self, x: torch.Tensor, updates: Updates) -> torch.Tensor:
        return super().forward(x * self.stretch[..., None, None, :], updates)

    def gradient(self, x: torch.Tensor, updates: Updates) -> torch.Tensor:
        stretch = self.stretch[..., None, None, :]
        return stretch * super().gradient(x * stretch, updates)


class Stirred(GNODE):
    """A bracket with such numbers, which breaks its law and no training."""

    def __init__(self, net: MakeNet, state_dim: int, *others: Any, **settings: Any):
        super().__init__(net, state_dim, *others, **settings)
        self.register_buffer("stir", 0.5 + torch.rand(state_dim))

    def field(self, *gradients: torch.Tensor, **updates: Any) -> torch.Tensor:
        return super().field(*gradients, **updates) * self.stir[..., None, None, :]


class Shaken(Unstructured):
    """A dynamics with such numbers."""

    def __init__(self, net: MakeNet, scales: Scales):
        super().__init__(net, scales)
        self.register_buffer("shake", 0.5 + torch.rand(len(scales.state_mean)))

    def vector_field(self, *states: torch.Tensor, **updates: Any) -> torch.Tensor:
        return super().vector_field(*states, **updates) * self.shake[..., None, None, :]


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("module", "piece", "words"),
    [
        (mlp, Stretched, ()),
        (mlp, Stretched, ("optimizer=adam",)),
        (mlp, Stretched, ("learner=pretrained", "optimizer=gauss_newton")),
        (mlp, Stretched, ("system=two_gas_containers", "bracket=nms", "optimizer=adam")),
        (gnode, Stirred, ("system=damped_oscillator", "bracket=gnode", "optimizer=adam")),
        (gnode, Stirred, ("system=damped_oscillator", "bracket=gnode", "optimizer=gauss_newton")),
        (unstructured, Shaken, ("dynamics=unstructured", "optimizer=adam")),
    ],
)
def test_random_numbers_of_a_piece_that_are_no_parameters_are_those_of_each_seed(
    make, monkeypatch, module, piece, words
):
    monkeypatch.setattr(Stretched, "persistent", True, raising=False)
    monkeypatch.setattr(module, piece.__base__.__name__, piece)
    assert_same_training(make(*words))


@pytest.mark.parametrize(
    ("persistent", "drawn"),
    [(False, Stretched.drawn), (True, lambda size: torch.randint(1000, (size,)))],
    ids=["no model file would keep them", "an index takes no axis of seeds"],
)
def test_random_numbers_that_seeds_cannot_have_each_for_itself_are_refused(make, monkeypatch, persistent, drawn):
    monkeypatch.setattr(Stretched, "persistent", persistent, raising=False)
    monkeypatch.setattr(Stretched, "drawn", staticmethod(drawn))
    monkeypatch.setattr(mlp, "MLP", Stretched)
    with pytest.raises(ConfigError, match=r"nets\.hamiltonian\.stretch, got other values of it"):
        group(make())


# One step, whatever their number


def operations(learner: Learner) -> int:
    """Operators that an outer step calls, batches drawn before."""
    learner.outer_update(0)
    batch = learner.batches[1]
    learner.batches = {1: batch}  # type: ignore[assignment]
    count = 0

    class Counter(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            nonlocal count
            count += 1
            return func(*args, **(kwargs or {}))

    with Counter():
        learner.outer_update(1)
    return count


@pytest.mark.parametrize("words", [(), ("learner=maml",), ("system=damped_oscillator",)], ids=str)
def test_a_step_calls_as_many_operators_for_many_seeds_as_for_few(make, words):
    maker = make(*words)
    few, many = operations(group(maker, (0, 1))), operations(group(maker, (0, 1, 2, 3, 4, 5)))
    assert few == many
    assert many < 1.5 * operations(maker(0))


# Divergence


@pytest.mark.few(1)
@pytest.mark.parametrize("words", [(), ("learner.task_batch=3",), ("learner=maml",), ("learner=reptile",)], ids=str)
def test_a_replica_that_diverges_leaves_the_others_alone(make, words):
    maker = make(*words)
    broken, whole = group(maker), group(maker)
    for name, tensor in broken.own().items():
        if "nets" in name:
            tensor.detach()[1] *= 1e200
    for step in range(STEPS):
        lost, kept = broken.outer_update(step), whole.outer_update(step)
        assert not lost[1].isfinite()
        assert torch.equal(lost[[0, 2]], kept[[0, 2]])
    for name, tensor in broken.own().items():
        assert torch.equal(tensor[[0, 2]], whole.own()[name][[0, 2]]), name


SETTINGS = Trainer(accelerator="cpu", checkpoint_seconds=0.0)


def breaks_at(learner: Learner, replica: int, at: int) -> Learner:
    """The same learner, that loses the numbers of a replica before an outer step."""
    update = learner.outer_update

    def broken(step: int) -> torch.Tensor:
        if step == at:
            learner.codes.data[replica] = math.nan
            for parameter in learner.parameters():
                parameter.data[replica] = math.nan
        return update(step)

    learner.outer_update = broken  # type: ignore[method-assign]
    return learner


@pytest.mark.parametrize("may_diverge", [True, False])
def test_one_that_diverges_is_stopped_alone_and_named(make, tmp_path, monkeypatch, may_diverge):
    maker = make(f"learner={'maml' if may_diverge else 'auto_decoding'}")
    monkeypatch.setattr("metastruct.running.group.together", lambda learners: breaks_at(together(learners), 1, 10))
    folders = made(maker, tmp_path)
    trainings, failed = train_together(folders, SETTINGS)
    assert trainings == set(folders)
    contents = [trained(folder) for folder in folders]
    kept = [content and torch.load(io.BytesIO(content), weights_only=True) for content in contents]
    for seed in (0, 2):
        assert kept[seed]["diverged_at"] is None
        assert [step for step, _ in kept[seed]["history"]] == list(range(4, 41, 4))
        assert all(value.isfinite().all() for value in kept[seed]["model"].values())
    if may_diverge:
        assert failed == {}
        assert kept[1]["diverged_at"] == 10
        assert [step for step, _ in kept[1]["history"]] == [4, 8, 12]
        assert all(value.isnan().all() for name, value in kept[1]["model"].items() if "nets" in name)
    else:
        ((folder, why),) = failed.items()
        assert folder.name == "pendulum-method-seed1-key"
        assert why.startswith("the training loss is not finite at outer step 10 of 40; lower optimizer.base_rate")
        assert kept[1] is None
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(folder.name for folder in folders)


# Files


def made(maker: MakeLearner, outputs: Path, seeds: tuple[int, ...] = SEEDS) -> dict[Path, Callable[[], Learner]]:
    return {outputs / f"pendulum-method-seed{seed}-key": partial(maker, seed) for seed in seeds}


def numbers(folder: Path) -> dict[str, torch.Tensor]:
    content = trained(folder)
    assert content is not None
    kept = torch.load(io.BytesIO(content), weights_only=True)
    return kept["model"] | {"codes": kept["codes"], "history": torch.tensor([loss for _, loss in kept["history"]])}


@pytest.mark.few(1)
@pytest.mark.parametrize("words", [(), ("learner.task_batch=3",), ("learner=maml",)], ids=str)
def test_seeds_that_are_interrupted_go_on_and_end_with_the_same_numbers(make, tmp_path, monkeypatch, capsys, words):
    maker = make(*words)
    whole, stopped = made(maker, tmp_path / "whole"), made(maker, tmp_path / "stopped")
    train_together(whole, SETTINGS)
    with monkeypatch.context() as patch:
        patch.setattr("metastruct.running.group.together", lambda learners: interrupted_at(together(learners), 22))
        with pytest.raises(KeyboardInterrupt):
            train_together(stopped, SETTINGS)
    (checkpoint, _) = sorted((tmp_path / "stopped").glob("pendulum-method-seed0_2-*/step-*.ckpt"), reverse=True)
    assert checkpoint.name == "step-000000020.ckpt"
    assert not any(trained(folder) for folder in stopped)
    train_together(stopped, SETTINGS)
    assert "going on from" in capsys.readouterr().out
    for ours, theirs in zip(stopped, whole, strict=True):
        a, b = numbers(ours), numbers(theirs)
        assert all(torch.equal(a[name], value) for name, value in b.items())
    assert not list((tmp_path / "stopped").rglob("step-*"))


def interrupted_at(learner: Learner, at: int) -> Learner:
    update = learner.outer_update

    def broken(step: int) -> torch.Tensor:
        if step == at:
            raise KeyboardInterrupt
        return update(step)

    learner.outer_update = broken  # type: ignore[method-assign]
    return learner


def test_what_is_trained_or_in_other_hands_is_left_alone(make, tmp_path, capsys):
    maker = make()
    folders = made(maker, tmp_path, (0, 1, 2, 3))
    first, second, *others = folders
    train(maker(0), first, SETTINGS, None)
    before = trained(first)
    with locked(second, lambda: None):
        train_together(folders, SETTINGS)
    assert "training 2 seeds together" in capsys.readouterr().out
    assert trained(first) == before
    assert trained(second) is None
    for folder, seed in zip(others, (2, 3), strict=True):
        train(maker(seed), tmp_path / "alone" / folder.name, SETTINGS, None)
        for name, value in numbers(tmp_path / "alone" / folder.name).items():
            assert_close(numbers(folder)[name], value, name)
