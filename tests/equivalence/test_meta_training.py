"""The batched learner does what the method says: a loop over tasks with dense matrices ends with the same numbers."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import torch
from reference import LazyAdam, Reference, norm_of, numbers_of

from metastruct.data.observations import Observations
from metastruct.data.recordings import Recordings
from metastruct.dynamics.dynamics import Scales
from metastruct.learners.auto_decoding import AutoDecoding
from metastruct.objectives.derivatives import Derivatives
from metastruct.optimizers.adam import Adam
from metastruct.recording import portions
from metastruct.recording.portions import largest
from metastruct.running.assembly import build_model, component

TASKS, POINTS, STEPS = 4, 20, 3
METHODS = {"shift": 0, "full_weight": 0, "rank_one": 1, "multi_rank": 2, "svd": 2}
LOCALITY = {"lambda_z": 0.05, "lambda_phi": 0.02}
OPTIMIZER = {"base_rate": 0.01, "code_rate": 0.03, "warmup": 1, "beta2": 0.98}
PROTOCOLS = {
    "joint": {"schedule": "joint", "task_batch": TASKS},
    "joint_some_tasks": {"schedule": "joint", "task_batch": 2},
    "alternating": {"schedule": "alternating", "task_batch": TASKS},
    "alternating_some_tasks": {"schedule": "alternating", "task_batch": 2},
    "reset": {"schedule": "alternating", "codes": "reset", "task_batch": TASKS},
    "reset_some_tasks": {"schedule": "alternating", "codes": "reset", "task_batch": 2},
}


@pytest.fixture(scope="module")
def recordings(oscillators) -> Recordings:
    return oscillators(TASKS, POINTS)


@pytest.fixture
def make(small, recordings):
    """Makes a learner in float64 whose bases are not orthonormal and whose code differs from zero where that may be."""

    def made(method: str, locality: dict[str, float] = LOCALITY, **protocol: Any) -> AutoDecoding:
        rank = {"modulation__rank": METHODS[method]} if METHODS[method] else {}
        settings = {"inner_steps": 2, "outer_steps": 2, "point_batch": 3, "codes": "evolving"} | protocol
        cfg = small(
            f"modulation={method}",
            net__width=5,
            net__activation="silu",
            modulation__scale=0.3,
            **rank,
            **{f"learner__{k}": value for k, value in settings.items()},
        )
        torch.manual_seed(3)
        learner = component(
            cfg.learner,
            model=build_model(cfg, Scales.of(recordings.parts["states"], recordings.parts["derivatives"])),
            recordings=recordings,
            objective=Derivatives(),
            steps=10,
            steps_per_epoch=5,
            seed=1,
            optimizer=Adam(**OPTIMIZER),
            locality=locality,
        ).double()
        with torch.no_grad():
            for name, parameter in learner.model.named_parameters():
                # The penalty has the gradient of a norm: where it is zero up to round-off, that is noise.
                parameter.mul_(1.3 if name.startswith(("modulation.left", "modulation.right")) else 2.0)
        learner.configure_optimizers()
        return learner

    return made


class SlowLearner:
    """The reference of `AutoDecoding`, from the batches that it draws and the numbers that it starts with."""

    def __init__(self, learner: AutoDecoding, method: str, locality: dict[str, float], protocol: dict[str, Any]):
        self.reference = Reference(learner.model, method, METHODS[method], width=5, depth=3)
        self.numbers = numbers_of(learner.model)
        self.codes = {task: code.clone() for task, code in enumerate(learner.codes.detach())}
        self.tasks, self.batches, self.locality = learner.observations.unflatten(0, (TASKS, POINTS)), [], locality
        self.batches = [learner.batches[step] for step in range(STEPS)]
        self.joint, self.reset = protocol["schedule"] == "joint", protocol.get("codes") == "reset"
        self.sparse = protocol["task_batch"] < TASKS
        self.orthogonality = 0.01 if method == "svd" else 0.0
        self.adam = torch.optim.Adam(
            self.numbers.values(), lr=OPTIMIZER["base_rate"], betas=(0.9, OPTIMIZER["beta2"]), foreach=False
        )
        self.code_adam = LazyAdam(0.9, OPTIMIZER["beta2"], self.sparse)

    def outer_step(self, step: int) -> float:
        factor = min(1.0, (step + 1) / (OPTIMIZER["warmup"] + 1)) * 0.5 * (1 + math.cos(math.pi * step / 10))
        self.adam.param_groups[0]["lr"] = OPTIMIZER["base_rate"] * factor
        self.rate = OPTIMIZER["code_rate"] * (1.0 if self.reset else factor)
        batch = self.batches[step]
        if self.joint:
            return self.update(batch.tasks, batch.points[0], base=True, code=True)
        if self.reset:
            self.code_adam = LazyAdam(0.9, OPTIMIZER["beta2"], self.sparse)
            for task in batch.tasks.tolist():
                self.codes[task] = torch.zeros_like(self.codes[task])
        for inner in (0, 1):
            self.update(batch.tasks, batch.points[inner], base=False, code=True)
        for outer in (2, 3):
            loss = self.update(batch.tasks, batch.points[outer], base=True, code=False)
        return loss

    def update(self, tasks: torch.Tensor, points: torch.Tensor, base: bool, code: bool) -> float:
        phi = [value for name, value in self.numbers.items() if "hypernetwork" in name]
        code_gradients, losses = {}, []
        for value in self.numbers.values():
            value.grad = torch.zeros_like(value) if base else None
        for task, rows in zip(tasks.tolist(), points, strict=True):
            z = self.codes[task].clone().requires_grad_()
            x, dxdt = self.tasks[task, rows].chunk(2, dim=-1)
            loss = self.reference.task_loss(self.numbers, x, dxdt, z)
            losses.append(float(loss.detach()))
            if code:
                total = loss + self.locality["lambda_z"] * norm_of([z])
                (code_gradients[task],) = torch.autograd.grad(total, z, retain_graph=True)
            if base:
                total = loss + self.locality["lambda_phi"] * norm_of(phi)
                total = total + self.orthogonality * self.reference.orthogonality(self.numbers)
                total.backward(inputs=list(self.numbers.values()))
        if base:
            self.adam.step()
        if code:
            self.code_adam.step(self.codes, code_gradients, self.rate)
        return sum(losses) / len(losses)


@pytest.mark.few(5)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_batched_learner_ends_with_the_numbers_of_a_loop_over_tasks(make, method, protocol):
    learner = make(method, **protocol)
    slow = SlowLearner(learner, method, LOCALITY, protocol)
    before = numbers_of(learner.model)
    for step in range(STEPS):
        ours, theirs = float(learner.outer_update(step)), slow.outer_step(step)
        assert ours == pytest.approx(theirs, rel=1e-8)
    for name, value in learner.model.named_parameters():
        assert not torch.equal(value, before[name])
        torch.testing.assert_close(value.detach(), slow.numbers[name].detach(), rtol=1e-7, atol=1e-8, msg=name)
    codes = torch.stack([slow.codes[task] for task in range(TASKS)])
    torch.testing.assert_close(learner.codes.detach(), codes, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("method", METHODS)
def test_batched_losses_and_fields_are_those_of_dense_matrices(make, method, recordings):
    learner = make(method, schedule="joint")
    reference, numbers = Reference(learner.model, method, METHODS[method], 5, 3), numbers_of(learner.model)
    codes = torch.randn(TASKS, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x, dxdt = (recordings.parts[name].unflatten(0, (TASKS, POINTS))[:, :4] for name in ("states", "derivatives"))
    field = torch.stack(
        [
            torch.stack([reference.vector_field(numbers, point, code) for point in task])
            for task, code in zip(x, codes, strict=True)
        ]
    )
    torch.testing.assert_close(learner.model.vector_field(x, codes), field, rtol=1e-10, atol=1e-12)
    losses = [reference.task_loss(numbers, *one) for one in zip(x, dxdt, codes, strict=True)]
    ours = learner.loss_of(Observations(x, dxdt), codes)
    torch.testing.assert_close(ours, torch.stack(losses), rtol=1e-10, atol=1e-12)
    energy = torch.stack([reference.energy(numbers, x[k, 0], codes[k]) for k in range(TASKS)])
    torch.testing.assert_close(learner.model.energy(x[:, :1], codes)[:, 0], energy, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("schedule", ["joint", "alternating"])
def test_codes_outside_of_the_batch_do_not_move(make, schedule):
    learner = make("svd", schedule=schedule, task_batch=2)
    moved = torch.zeros(TASKS, dtype=torch.int64)
    for step in range(6):
        before = learner.codes.detach().clone()
        learner.outer_update(step)
        changed = (learner.codes.detach() != before).any(-1)
        assert set(changed.nonzero().flatten().tolist()) == set(learner.batches[step].tasks.tolist())
        moved += changed
    assert (moved > 1).any()  # some code rested after it had gained momentum
    assert (moved < 6).all()


def test_base_rests_in_inner_updates_and_codes_rest_in_outer_updates(make, monkeypatch):
    learner = make("svd", schedule="alternating")
    update, seen = learner._update, []

    def watched(tasks, points, base, code):
        before = [p.detach().clone() for p in learner.parameters()]
        result = update(tasks, points, base=base, code=code)
        names = {n for (n, p), old in zip(learner.named_parameters(), before, strict=True) if not torch.equal(p, old)}
        seen.append((code, base, "codes" in names, bool(names - {"codes"})))
        return result

    monkeypatch.setattr(learner, "_update", watched)
    for step in range(2):
        learner.outer_update(step)
    assert seen == 2 * (2 * [(True, False, True, False)] + 2 * [(False, True, False, True)])


@pytest.mark.parametrize(("codes", "reset"), [("reset", True), ("evolving", False)])
@pytest.mark.parametrize("task_batch", [2, TASKS])
def test_reset_codes_are_zero_before_each_batch_and_evolving_ones_are_not(make, monkeypatch, codes, reset, task_batch):
    learner = make("svd", schedule="alternating", codes=codes, task_batch=task_batch)
    with torch.no_grad():
        learner.codes += 0.5
    starts = []
    update = learner._update

    def watched(tasks, points, base, code):
        starts.append(learner.codes.detach()[tasks].clone())
        return update(tasks, points, base=base, code=code)

    monkeypatch.setattr(learner, "_update", watched)
    for step in range(3):
        learner.outer_update(step)
        assert bool((starts[0] == 0).all()) == reset
        starts.clear()


def test_gradient_of_a_code_does_not_depend_on_its_batch_mates(make):
    """A mean over tasks would divide it by their number."""
    moved = []
    for task_batch in (1, TASKS):
        learner = make("svd", schedule="joint", task_batch=task_batch)
        learner.codes.data += 0.1
        tasks = torch.arange(TASKS) if task_batch == TASKS else torch.tensor([2])
        points = torch.arange(3).expand(len(tasks), 3)
        learner._update(tasks, points, base=False, code=True)
        moved.append(learner.codes.grad.to_dense()[2])
    torch.testing.assert_close(*moved, rtol=1e-10, atol=1e-13)


def gradients(learner: AutoDecoding, **what: bool) -> dict[str, torch.Tensor]:
    tasks, points = torch.arange(TASKS), torch.arange(3).expand(TASKS, 3)
    before = {name: parameter.detach().clone() for name, parameter in learner.named_parameters()}
    learner._update(tasks, points, **what)
    learner.load_state_dict(before, strict=False)
    return {n: p.grad.clone() for n, p in learner.named_parameters() if p.grad is not None}


def test_norm_of_a_code_is_one_per_task_and_not_squared(make):
    plain, weighted = ({"lambda_z": value, "lambda_phi": 0.0} for value in (0.0, 0.1))
    codes = torch.arange(1.0, 1 + 3 * TASKS, dtype=torch.float64).reshape(TASKS, 3)
    found = []
    for locality in (plain, weighted):
        learner = make("svd", locality=locality, schedule="joint")
        learner.codes.data.copy_(codes)
        found.append(gradients(learner, base=True, code=True))
    expected = 0.1 * codes / codes.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(found[1]["codes"] - found[0]["codes"], expected, rtol=1e-8, atol=1e-10)
    for name in found[0].keys() - {"codes"}:
        torch.testing.assert_close(found[1][name], found[0][name])


def test_norm_of_phi_is_one_over_the_whole_hypernetwork_and_not_squared(make):
    plain, weighted = ({"lambda_z": 0.0, "lambda_phi": value} for value in (0.0, 0.1))
    found = []
    for locality in (plain, weighted):
        learner = make("svd", locality=locality, schedule="joint")
        learner.codes.data += 0.2
        found.append(gradients(learner, base=True, code=True))
    phi = {n: p.detach() for n, p in learner.named_parameters() if "hypernetwork" in n}
    whole = torch.cat([value.flatten() for value in phi.values()]).norm()
    for name in found[0]:
        expected = TASKS * 0.1 * phi[name] / whole if name in phi else torch.zeros_like(found[0][name])
        torch.testing.assert_close(found[1][name] - found[0][name], expected, rtol=1e-8, atol=1e-10)


def test_penalty_of_a_code_at_zero_is_no_nan(make):
    learner = make("svd", schedule="alternating")
    assert (learner.codes == 0).all()
    found = gradients(learner, base=False, code=True)
    assert found["codes"].isfinite().all()
    learner.outer_update(0)
    assert all(parameter.isfinite().all() for parameter in learner.parameters())


@pytest.mark.parametrize("protocol", ["joint", "alternating_some_tasks"])
def test_points_that_are_looked_at_in_portions_move_everything_as_all_at_once(make, monkeypatch, protocol):
    """The last portion is smaller, so a mean of means would not do."""
    whole, parted = (make("svd", point_batch=5, **PROTOCOLS[protocol]) for _ in range(2))
    begun = {name: parameter.detach().clone() for name, parameter in whole.named_parameters()}
    losses = [whole.outer_update(step) for step in range(STEPS)]
    seen, gradients = set(), parted._gradients

    def watched(tasks, points, base, code):
        seen.add(points.shape[-1])
        return gradients(tasks, points, base, code)

    for (base, code), recording in parted.recordings.items():
        monkeypatch.setattr(recording, "function", partial(watched, base=base, code=code))
    monkeypatch.setattr(parted.portions, "_portion", lambda *_: 2)
    for step, loss in enumerate(losses):
        torch.testing.assert_close(parted.outer_update(step), loss, rtol=1e-10, atol=1e-12)
    assert seen == {2, 1}
    for name, parameter in parted.named_parameters():
        torch.testing.assert_close(parameter, whole.get_parameter(name), rtol=1e-9, atol=1e-10)
        assert not torch.equal(parameter, begun[name])


def test_no_tensor_of_a_step_is_larger_than_the_bound(make, monkeypatch):
    learner = make("svd", point_batch=20, **PROTOCOLS["joint"])
    all_at_once = largest(learner.outer_update, 0)
    monkeypatch.setattr(portions, "LARGEST", all_at_once // 4)
    assert largest(learner.outer_update, 1) <= all_at_once // 4 < all_at_once
