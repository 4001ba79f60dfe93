"""What every optimizer of conf/optimizer promises, with every learner that trains; a new yaml needs no edit here."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from pairs import crossed

from metastruct.config.facts import facts_of
from metastruct.config.schema import groups
from metastruct.learners.learner import Learner
from metastruct.learners.replicas import together
from metastruct.optimizers.optimizer import Optimizer
from metastruct.running.assembly import build_learner, component

TASKS, SEEDS, STEPS = 5, (0, 1, 2), 12
RATES = {"base_rate": 0.01, "code_rate": 0.03}


@pytest.fixture(scope="module")
def optimizer(composed, any_optimizer) -> Optimizer:
    return component(composed(f"optimizer={any_optimizer}").optimizer, **RATES)


LEARNERS = [name for name in groups()["learner"] if facts_of("learner", name).trains]


@pytest.fixture(scope="module", params=crossed(LEARNERS, "auto_decoding", groups()["optimizer"], "adam"), ids="-".join)
def make(request, small, oscillators) -> Callable[..., Learner]:
    """Makes a learner of a few units in float64, ready to step."""
    recordings, (learner_name, optimizer_name) = oscillators(TASKS, 30), request.param

    def made(seed: int = 0, batch: int = 2, **settings: object) -> Learner:
        frame = {"learner__task_batch": batch, "learner__point_batch": 4, "trainer__steps": 60, "seed": seed}
        frame |= {"modulation__scale": 0.3, "trainer__threads": 1}
        frame |= {f"optimizer__{name}": value for name, value in RATES.items()}
        cfg = small(f"learner={learner_name}", f"optimizer={optimizer_name}", **frame | settings)
        learner = build_learner(cfg, recordings).double()
        learner.configure_optimizers()
        return learner

    return made


def numbers(learner: Learner) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in learner.own().items()}


def distance(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> float:
    return max(float((value - theirs[name]).abs().max()) for name, value in ours.items())


def walk(learner: Learner, first: int, last: int) -> Learner:
    for step in range(first, last):
        learner.outer_update(step)
    return learner


# With every learner


@pytest.mark.few(4)
@pytest.mark.parametrize("batch", [2, TASKS])
def test_every_parameter_moves_within_two_outer_steps(make, batch):
    learner = make(batch=batch)
    before = numbers(learner)
    walk(learner, 0, 2)
    for name, _ in learner.named_parameters():
        assert not torch.equal(numbers(learner)[name], before[name]), f"{name} does not move"


def test_codes_outside_of_the_batch_do_not_move_at_all(make):
    learner = make()
    if not isinstance(learner.codes, torch.nn.Parameter):
        pytest.skip("keeps no codes")
    rested = torch.zeros(TASKS, dtype=torch.int64)
    for step in range(STEPS):
        before = learner.codes.detach().clone()
        learner.outer_update(step)
        still = (learner.codes.detach() == before).all(-1)
        assert set((~still).nonzero().flatten().tolist()) == set(learner.batches[step].tasks.tolist())
        rested += still & (before != 0).any(-1)
    assert (rested > 1).all()  # after they had moved, which is where a momentum would show


@pytest.mark.few(1)
def test_replicas_end_as_near_to_single_runs_as_runs_that_begin_a_round_off_apart(make):
    group = together([make(seed) for seed in SEEDS])
    group.configure_optimizers()
    walk(group, 0, STEPS)
    ends = []
    for i, seed in enumerate(SEEDS):
        alone, beside = make(seed), make(seed)
        with torch.no_grad():
            for parameter in beside.parameters():
                parameter.mul_(1 + 4 * torch.finfo(parameter.dtype).eps)
        ours = {name: tensor[i].detach() for name, tensor in group.own().items()}
        ends.append(numbers(walk(alone, 0, STEPS)))
        assert distance(ours, ends[-1]) < 1e-10 + 100 * distance(numbers(walk(beside, 0, STEPS)), ends[-1])
        assert distance(ours, ends[-1]) < 1e-2 * distance(ends[0], ends[-1]) or not i


@pytest.mark.few(4)
def test_a_replica_that_diverges_leaves_the_others_alone(make):
    groups_of_two, losses = [], []
    for broken in (True, False):
        group = together([make(seed, TASKS) for seed in SEEDS])
        group.configure_optimizers()
        if broken:
            for name, tensor in group.own().items():
                if "nets" in name:
                    tensor.detach()[1] *= 1e200
        groups_of_two.append(walk(group, 0, STEPS))
        losses.append(group.outer_update(STEPS))
    lost, whole = map(numbers, groups_of_two)
    assert [loss[1].isfinite().item() for loss in losses] == [False, True]  # its numbers may be: steps may have a bound
    for name, value in whole.items():
        assert torch.equal(lost[name][[0, 2]], value[[0, 2]]), name


@pytest.mark.few(1)
@pytest.mark.parametrize(("batch", "stop"), [(2, 11), (TASKS, 1)])
def test_a_training_that_resumes_ends_with_the_numbers_of_one_that_was_never_stopped(make, batch, stop):
    whole, stopped, resumed = (make(batch=batch) for _ in range(3))
    walk(whole, 0, 22)
    walk(stopped, 0, stop)
    resumed.load_state_dict(copy.deepcopy(stopped.state_dict()))
    for new, old in zip(resumed.rules, stopped.rules, strict=True):
        new.load_state_dict(copy.deepcopy(old.state_dict()))
    walk(resumed, stop, 22)
    theirs = numbers(whole)
    assert all(torch.equal(value, theirs[name]) for name, value in numbers(resumed).items())


# Alone


def quadratic(seed: int = 0) -> tuple[torch.nn.Parameter, Callable[[], torch.Tensor]]:
    """A matrix and how far it is from another, in a metric of the condition number four."""
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.nn.Parameter(torch.zeros(6, 4, dtype=torch.float64))
    goal = torch.randn(6, 4, generator=generator, dtype=torch.float64)
    metric = torch.linspace(1, 4, 6, dtype=torch.float64)[:, None]
    return matrix, lambda: (metric * (matrix - goal).square()).sum() / 2


@pytest.mark.few(4)
@pytest.mark.parametrize("with_codes", [False, True])
def test_an_easy_quadratic_converges(composed, any_optimizer, with_codes):
    optimizer = component(composed(f"optimizer={any_optimizer}").optimizer, base_rate=0.1, code_rate=0.1)
    (matrix, loss), (codes, other) = quadratic(0), quadratic(1)
    rules = optimizer.over([matrix], codes if with_codes else None)
    first = float((loss() + other()).detach())
    for step in range(300):
        optimizer.anneal(rules, step, 300)
        (matrix.grad,), (codes.grad,) = torch.autograd.grad(loss(), matrix), torch.autograd.grad(other(), codes)
        for rule in rules:
            rule.step()
    assert float(loss().detach()) < 1e-6 * first
    assert (float(other().detach()) < 1e-6 * first) == with_codes


def test_rates_rise_along_a_line_and_then_fall_to_zero_along_half_a_cosine(composed, any_optimizer):
    optimizer = component(composed(f"optimizer={any_optimizer}").optimizer, **RATES, warmup=9)
    matrix, codes = (torch.nn.Parameter(torch.ones(3, 2, dtype=torch.float64)) for _ in range(2))
    rules = optimizer.over([matrix], codes, lazy=True)
    seen = []
    for step in range(100):
        optimizer.anneal(rules, step, 100)
        seen.append([group["lr"] for rule in rules for group in rule.param_groups])
    base, own = torch.tensor(seen, dtype=torch.float64).unbind(1)
    torch.testing.assert_close(own, 3 * base)
    assert base[0] == pytest.approx(0.1 * RATES["base_rate"])
    assert base.argmax() == 9
    assert (base[9:].diff() < 0).all()
    assert 0 < base[-1] < 1e-3 * RATES["base_rate"]


def test_a_group_that_keeps_its_rate_keeps_it(optimizer):
    matrix, codes = (torch.nn.Parameter(torch.ones(3, 2, dtype=torch.float64)) for _ in range(2))
    rules = optimizer.over([matrix], codes)
    rules[-1].param_groups[-1]["constant"] = True
    optimizer.anneal(rules, 50, 100)
    assert rules[-1].param_groups[-1]["lr"] == RATES["code_rate"]
    assert rules[0].param_groups[0]["lr"] == pytest.approx(RATES["base_rate"] / 2)


def test_what_has_no_gradient_stays_where_it_is(optimizer):
    moved, rested = (torch.nn.Parameter(torch.ones(3, 2, dtype=torch.float64)) for _ in range(2))
    (rule,) = optimizer.over([moved, rested])
    for _ in range(3):
        moved.grad = torch.rand_like(moved)
        rule.step()
    assert (moved != 1).all()
    assert (rested == 1).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_of_zero_do_no_harm(optimizer, dtype):
    matrix, vector = torch.nn.Parameter(torch.ones(4, 3, dtype=dtype)), torch.nn.Parameter(torch.ones(3, dtype=dtype))
    (rule,) = optimizer.over([matrix, vector])
    for step in range(25):
        for parameter in (matrix, vector):
            parameter.grad = torch.zeros_like(parameter) if step < 12 else torch.ones_like(parameter)
        rule.step()
        if step < 12:
            assert (matrix == 1).all()
            assert (vector == 1).all()
    for parameter in (matrix, vector):
        assert parameter.dtype == dtype
        assert parameter.isfinite().all()
        assert (parameter < 1).all()
