"""Gauss-Newton on the residuals of a batch: the algebra against dense matrices, and the rule against its formula."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from metastruct.config.schema import ConfigError
from metastruct.data.recordings import Recordings
from metastruct.data.trajectory import Member
from metastruct.learners.auto_decoding import AutoDecoding
from metastruct.learners.learner import Learner
from metastruct.learners.replicas import together
from metastruct.optimizers.gauss_newton import GaussNewton
from metastruct.optimizers.least_squares import CODES, LeastSquares, Rows
from metastruct.optimizers.outer import Outer, derivatives, uses
from metastruct.optimizers.residuals import Residuals
from metastruct.running.assembly import build_learner, component
from metastruct.running.validation import validate

TASKS, SEEDS = 5, (0, 1)
PLAIN = {"warm_start": 0.0, "rows": 10_000, "first_rate": 1.0, "last_rate": 1.0, "damping": 1e-13}
PLAIN |= {"least_damping": 1e-13, "momentum": 0.0, "base_rate": 0.01, "code_rate": 0.01, "beta2": 0.99}


@pytest.fixture(scope="module")
def make(small, composed, oscillators) -> Callable[..., Learner]:
    """Makes a learner of a few units in float64 whose outer steps are all Gauss-Newton's, ready to step."""

    def made(*words: str, seed: int = 0, **settings: object) -> Learner:
        frame = {"learner__task_batch": TASKS, "learner__point_batch": 4, "trainer__steps": 40, "seed": seed}
        frame |= {"optimizer__warm_start": 0.0, "modulation__scale": 0.3}
        cfg = small(*words, "optimizer=gauss_newton", **frame | settings)
        recordings = oscillators(TASKS, 30, component(composed(*words).system).state_dim)
        learner = build_learner(cfg, recordings).double()
        learner.configure_optimizers()
        return learner

    return made


def residuals_of(learner: Learner, step: int = 0) -> Residuals:
    assert isinstance(learner, AutoDecoding)
    batch = learner.batches[step]
    with torch.no_grad():
        learner.codes.copy_(torch.randn(learner.codes.shape, generator=torch.Generator().manual_seed(1)))
    return learner._residuals(batch.tasks, batch.points[0])


def spread_out(part: Tensor | Outer) -> Tensor:
    """Rows of a parameter `[rows, numbers]`."""
    return torch.einsum("kro,kri->roi", part.left, part.right).flatten(1) if isinstance(part, Outer) else part


def dense(problem: LeastSquares, names: list[str]) -> Tensor:
    """J `[rows, columns]` with its zeros, the columns of the codes last."""
    lines = []
    bases = [{name: spread_out(part) for name, part in block.base.items()} for block in problem.blocks]
    sizes = {name: part.shape[-1] for base in bases for name, part in base.items()}
    for block, base in zip(problem.blocks, bases, strict=True):
        rows = len(block.values)
        parts = [base.get(name, block.values.new_zeros(rows, sizes.get(name, 0))) for name in names]
        tasks, _, size = next(other.codes.shape for other in problem.blocks if other.codes is not None)
        if block.codes is None:
            parts.append(block.values.new_zeros(rows, tasks * size))
        else:
            parts.append(torch.block_diag(*block.codes))
        lines.append(torch.cat(parts, dim=-1))
    return torch.cat(lines)


def numbers(learner: Learner) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in learner.own().items()}


def walk(learner: Learner, first: int, last: int) -> Tensor:
    return torch.stack([learner.outer_update(step) for step in range(first, last)])


# The derivatives


@pytest.mark.few(1)
def test_rows_are_the_derivatives_of_every_residual(make, arrangement):
    learner = make(*arrangement.overrides, "modulation=svd")
    residuals = residuals_of(learner)
    base, codes = residuals.base, residuals.codes.requires_grad_()
    values = residuals.objective.residual(residuals.model, residuals.observations, codes)
    kinds = residuals.objective.components(residuals.observations.states.shape[-1])
    values = values.unflatten(-1, (-1, kinds)).flatten(0, 1).mT.flatten() / (values.numel() / kinds) ** 0.5
    wanted = [*base.values(), codes]
    lines = [torch.autograd.grad(value, wanted, retain_graph=True, materialize_grads=True) for value in values]
    theirs = torch.stack([torch.cat([part.flatten() for part in line]) for line in lines])
    problem, data = residuals.linearised()
    moving = (theirs != 0).any(-1)
    torch.testing.assert_close(problem.values[:data], values.detach()[moving])
    torch.testing.assert_close(dense(problem, [*base])[:data], theirs[moving])
    torch.testing.assert_close(problem.rest, values.detach()[~moving].square().sum())
    assert (theirs != 0).any(0).sum() > 0.5 * theirs.shape[-1]


def test_residuals_that_nothing_moves_take_no_rows_and_stand_in_the_loss(make):
    """dq/dt = v holds whatever the weights are; a law is learned from data that say something else all the same."""
    learner = make("system=swing", "modulation=svd")
    residuals = residuals_of(learner)
    problem, data = residuals.linearised()
    assert data == residuals.observations.states[..., 0].numel()
    assert residuals.at_most(10).observations.states[..., 0].numel() == 10
    assert problem.rest == 0
    wrong = residuals.observations.derivatives + torch.tensor([1.0, 0.0])
    residuals = replace(residuals, observations=replace(residuals.observations, derivatives=wrong))
    problem, _ = residuals.linearised()
    assert problem.rest > 0.1
    torch.testing.assert_close(problem.values[:data].square().sum() + problem.rest, residuals.loss())
    learner.observations[:, 2] += 1.0
    losses = walk(learner, 0, 12)
    assert losses[-1] - problem.rest < 0.1 * (losses[0] - problem.rest)


def test_wide_matrices_have_the_derivatives_that_they_have_without_outer_products(make, monkeypatch):
    learner = make("modulation=svd", net__width=16)
    ours, _ = residuals_of(learner).linearised()
    assert all(any(isinstance(part, Outer) for part in block.base.values()) for block in ours.blocks[:2])
    monkeypatch.setattr("metastruct.optimizers.residuals.uses", lambda *_: {})
    theirs, _ = residuals_of(learner).linearised()
    for one, other in zip(ours.blocks, theirs.blocks, strict=True):
        assert {*one.base} == {*other.base}
        for name, part in one.base.items():
            torch.testing.assert_close(spread_out(part), other.base[name])


WAYS = {  # how a matrix [rows, 24, 20] may enter a product, with x [rows, 1, 20] and y [rows, 1, 24]
    "a row times the matrix": lambda w, x, y: y @ w,
    "a row times its transpose": lambda w, x, y: x @ w.mT,
    "the matrix times a column": lambda w, x, y: w @ x.mT,
    "its transpose times a column": lambda w, x, y: w.transpose(1, 2) @ y.mT,
    "gathered in a sum": lambda w, x, y: torch.zeros_like(y).baddbmm_(x, w.mT),
    "twice": lambda w, x, y: (x @ w.mT).tanh() @ w,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_matrix_that_enters_products_alone_has_outer_products_as_derivatives(way):
    rows = 5
    w, x, y = (torch.randn(rows, *size, dtype=torch.float64) for size in ((24, 20), (1, 20), (1, 24)))
    w.requires_grad_()
    values = WAYS[way](w, x, y).sin().flatten(1).sum(-1)
    products = uses(values, {"w": w})
    part = derivatives(values, {"w": w}, products, 1)["w"]
    assert isinstance(part, Outer)
    assert len(part.left) == 1 + (way == "twice")
    (theirs,) = torch.autograd.grad(values.sum(), w)
    torch.testing.assert_close(spread_out(part), theirs.flatten(1))


OTHERWISE = {  # a matrix [9, 9, 9] in something else, with x [9, 1, 9]
    "beside the product": lambda w, x: (x @ w.mT).square() + w.square().sum(1, keepdim=True),
    "inside a function": lambda w, x: x @ w.sin(),
    "other dimensions turned": lambda w, x: x @ w.transpose(0, 1),
    "times a number": lambda w, x: torch.zeros_like(x).baddbmm(x, w, alpha=2),
    "rows of all": lambda w, x: x.mT @ w.reshape(1, 9, 81)[..., :9].expand(9, 9, 9)[:, :1],
}


@pytest.mark.parametrize("way", OTHERWISE)
def test_a_matrix_that_enters_anything_else_is_left_out(way):
    w, x = torch.randn(9, 9, 9).requires_grad_(), torch.randn(9, 1, 9)
    assert uses(x @ w, {"w": w})
    assert uses(OTHERWISE[way](w, x), {"w": w}) == {}


@pytest.mark.parametrize("width", [4, 16])
@pytest.mark.parametrize("weight", [0.0, 0.05])
def test_products_agree_with_those_of_the_dense_matrix(make, weight, width):
    problem, _ = residuals_of(
        make("modulation=svd", locality__lambda_z=weight, locality__lambda_phi=weight, net__width=width)
    ).linearised()
    hidden = problem.blocks[0].base["dynamics.nets.hamiltonian.weights.hidden1"]
    assert isinstance(hidden, Outer) == (width == 16)
    names = [*problem.blocks[0].base]
    matrix = dense(problem, names)
    torch.testing.assert_close(problem.gram(), matrix @ matrix.mT)
    weights = torch.randn(len(matrix), dtype=torch.float64)
    change = problem.back(weights)
    torch.testing.assert_close(torch.cat([change[name].flatten() for name in [*names, CODES]]), weights @ matrix)
    torch.testing.assert_close(problem.along(change), matrix @ (weights @ matrix))


@pytest.mark.parametrize("modulation", ["svd", "shift", "camel"])
def test_the_residuals_have_the_gradient_of_the_loss_with_its_norms(make, modulation):
    def gap(weight: float) -> float:
        """Between both gradients, where the residuals know of this weight of the locality."""
        learner = make(f"modulation={modulation}", locality__lambda_z=weight, locality__lambda_phi=weight)
        residuals = residuals_of(learner)
        for parameter in learner.model.parameters():  # bases that are orthonormal are a kink of their penalty
            parameter.data *= 1.1
        with torch.no_grad():  # as the rule does
            problem, _ = residuals.linearised()
        change = problem.back(2 * problem.values)
        learner.locality = {"lambda_z": 0.05, "lambda_phi": 0.05}
        codes = residuals.codes.requires_grad_()
        losses = learner.loss_of(residuals.observations, codes) + 0.05 * torch.linalg.vector_norm(codes, dim=-1)
        total = losses.mean() + learner._locality_of_the_base()
        wanted = {**residuals.base, CODES: codes}
        theirs = dict(zip(wanted, torch.autograd.grad(total, [*wanted.values()]), strict=True))
        return max(float((change[name].flatten() - theirs[name].flatten()).abs().max()) for name in wanted)

    assert gap(0.05) < 1e-12
    assert gap(0.0) > 1e-4


def test_an_iteration_solves_for_no_more_rows_than_it_is_told(make):
    residuals = residuals_of(make("modulation=svd"))
    for most, count in [(1000, 40), (40, 40), (39, 30), (10, 10), (1, 10)]:
        assert residuals.at_most(most).linearised()[1] == count


# The rule


@dataclass
class Linear:
    """The residual A x + C_k z_k - b, with two rows for each of three tasks."""

    damage: float = 1.0  # what the loss after a step is multiplied by
    table: nn.Parameter = field(default_factory=lambda: nn.Parameter(torch.zeros(3, 2, dtype=torch.float64)))

    def __post_init__(self):
        generator = torch.Generator().manual_seed(0)
        draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
        self.base = {"x": nn.Parameter(draw(9))}
        self.matrix, self.own, self.goal = draw(6, 9), draw(3, 2, 2), draw(6)
        self.index = (torch.arange(3),)
        self.observations = SimpleNamespace(states=torch.zeros(3, 2, 1))

    @property
    def values(self) -> Tensor:
        own = (self.own @ self.table.detach()[..., None]).flatten()
        return self.matrix @ self.base["x"].detach() + own - self.goal

    @property
    def dense(self) -> Tensor:
        return torch.cat([self.matrix, torch.block_diag(*self.own)], dim=-1)

    @property
    def numbers(self) -> Tensor:
        return torch.cat([self.base["x"].detach(), self.table.detach().flatten()])

    def at_most(self, rows: int) -> Linear:
        return self

    def linearised(self) -> tuple[LeastSquares, int]:
        return LeastSquares([Rows(self.values, {"x": self.matrix}, self.own)]), 6

    def loss(self) -> Tensor:
        return self.damage * self.values.square().sum()


def solved(problem: Linear, steps: int = 1, **settings: float) -> Tensor:
    """What the rule makes of it."""
    optimizer = GaussNewton(**PLAIN | settings)
    rules = optimizer.over([problem.base["x"]], problem.table)
    for step in range(steps):
        optimizer.solve(rules, problem, step, steps)  # type: ignore[arg-type]
    return problem.numbers


def test_one_step_is_the_shortest_solution_of_a_linear_problem():
    problem = Linear()
    theirs = problem.numbers - torch.linalg.pinv(problem.dense) @ problem.values
    torch.testing.assert_close(solved(problem), theirs, rtol=1e-8, atol=1e-8)
    assert problem.values.abs().max() < 1e-9


def test_damping_and_rate_are_those_of_the_formula():
    problem = Linear()
    matrix, before = problem.dense, problem.numbers
    gram = matrix @ matrix.mT
    damped = gram + 0.3 * gram.diagonal().mean() * torch.eye(6, dtype=torch.float64)
    theirs = before - 0.5 * matrix.mT @ torch.linalg.solve(damped, problem.values)
    ours = solved(problem, first_rate=0.5, last_rate=0.5, damping=0.3)
    torch.testing.assert_close(ours, theirs)


def test_momentum_keeps_what_the_batch_has_no_say_in():
    problem = Linear()
    matrix, start, first = problem.dense, problem.numbers, problem.values
    inverse = torch.linalg.pinv(matrix)
    phi = inverse @ first
    x = start - 0.5 * phi
    again = first - 0.5 * matrix @ phi
    phi = inverse @ (again - 0.9 * matrix @ phi) + 0.9 * phi
    ours = solved(Linear(), 2, first_rate=0.5, last_rate=0.5, momentum=0.9)
    torch.testing.assert_close(ours, x - 0.5 * phi, rtol=1e-8, atol=1e-8)


def test_a_step_that_raises_the_loss_of_its_batch_is_not_taken():
    problem = Linear(damage=1e30)
    before = problem.numbers
    optimizer = GaussNewton(**PLAIN | {"damping": 0.1, "momentum": 0.9})
    rules = optimizer.over([problem.base["x"]], problem.table)
    optimizer.solve(rules, problem, 0, 1)  # type: ignore[arg-type]
    assert torch.equal(problem.numbers, before)
    (damping,) = (state["damping"] for rule in rules for state in rule.state.values() if "damping" in state)
    assert damping > 1e4
    problem.damage = 1.0
    optimizer.solve(rules, problem, 0, 1)  # type: ignore[arg-type]
    assert not torch.equal(problem.numbers, before)
    assert problem.loss() < 1e30


def test_rates_are_geometric_between_the_first_iteration_and_the_last():
    optimizer = GaussNewton(**PLAIN | {"warm_start": 0.9, "first_rate": 1.0, "last_rate": 0.25})
    assert [optimizer.by_residuals(step, 30) for step in range(30)] == [False] * 27 + [True] * 3
    assert [optimizer.rate(step, 30) for step in (27, 28, 29)] == pytest.approx([1.0, 0.5, 0.25])


# With learners


@pytest.mark.parametrize("words", [(), ("system=damped_oscillator",)], ids=str)
def test_ten_iterations_do_more_than_fifty_steps_along_gradients(make, words):
    ours, theirs = (make(*words, learner__point_batch=25, optimizer__warm_start=share) for share in (0.0, 0.99))
    first, *_, last = walk(ours, 0, 10)
    theirs.steps = 60
    *_, other = walk(theirs, 0, 50)
    assert last < 0.8 * first
    assert last < other


@pytest.mark.parametrize(
    ("words", "batch"), [(("modulation=svd",), TASKS), (("modulation=svd",), 3), (("learner=pretrained",), 3)], ids=str
)
def test_replicas_end_with_the_numbers_of_single_runs(make, words, batch):
    singles = [make(*words, seed=seed, learner__task_batch=batch) for seed in SEEDS]
    group = together([make(*words, seed=seed, learner__task_batch=batch) for seed in SEEDS])
    group.configure_optimizers()
    losses = walk(group, 0, 6)
    for number, single in enumerate(singles):
        torch.testing.assert_close(losses[:, number], walk(single, 0, 6), rtol=1e-6, atol=1e-12)
        for name, tensor in single.own().items():
            torch.testing.assert_close(group.own()[name][number], tensor, rtol=1e-6, atol=1e-7)
    assert not torch.allclose(losses[:, 0], losses[:, 1], rtol=1e-3)


def test_a_replica_that_diverges_leaves_the_others_alone(make):
    groups = []
    for broken in (True, False):
        group = together([make("modulation=svd", seed=seed) for seed in (0, 1, 2)])
        group.configure_optimizers()
        if broken:
            group.model.modulation.hypernetwork.weight.data[1] = torch.nan
        walk(group, 0, 4)
        groups.append(numbers(group))
    lost, whole = groups
    for name, value in whole.items():
        assert torch.equal(lost[name][[0, 2]], value[[0, 2]]), name


@pytest.mark.parametrize("batch", [3, TASKS])
@pytest.mark.parametrize("stop", [2, 9])
def test_a_training_that_resumes_ends_with_the_numbers_of_one_that_was_never_stopped(make, batch, stop):
    settings = {"optimizer__warm_start": 0.5, "learner__task_batch": batch, "trainer__steps": 12}
    whole, stopped, resumed = (make("modulation=svd", **settings) for _ in range(3))
    walk(whole, 0, 12)
    walk(stopped, 0, stop)
    resumed.load_state_dict(copy.deepcopy(stopped.state_dict()))
    for fresh, old in zip(resumed.rules, stopped.rules, strict=True):
        fresh.load_state_dict(copy.deepcopy(old.state_dict()))
    walk(resumed, stop, 12)
    assert all(torch.equal(value, numbers(whole)[name]) for name, value in numbers(resumed).items())


def test_codes_outside_of_the_batch_do_not_move_at_all(make):
    learner = make("modulation=svd", learner__task_batch=2)
    for step in range(6):
        before = learner.codes.detach().clone()
        learner.outer_update(step)
        moved = (learner.codes.detach() != before).any(-1).nonzero().flatten().tolist()
        assert set(moved) <= set(learner.batches[step].tasks.tolist())
    assert (learner.codes != 0).any(-1).sum() > 2


@pytest.mark.parametrize("words", [("learner=maml",), ("learner=anil",), ("learner.schedule=alternating",)], ids=str)
def test_a_learner_without_one_sum_of_squares_is_refused_in_one_line(composed, words):
    with pytest.raises(ConfigError, match="sum of squares") as refusal:
        validate(composed(*words, "optimizer=gauss_newton"))
    assert "\n" not in str(refusal.value)


@pytest.mark.few(1)
@pytest.mark.parametrize("objective", ["derivatives", "weak", "rollout"])
def test_observations_with_noise_are_refused_wherever_they_come_from(small, oscillators, objective):
    """Files tell of it themselves, or not at all, when they are read."""
    exact, cfg = oscillators(TASKS, 60), small(f"objective={objective}", "optimizer=gauss_newton")
    build_learner(cfg, exact)
    level = np.full(2, 0.01)
    levels = {"noise": level, "derivative_noise": level}
    noisy = [Member(tuple(replace(one, **levels) for one in member.trajectories)) for member in exact.members]
    with pytest.raises(ConfigError, match=r"gauss_newton needs exact observations, .* use optimizer=adam or .*soap"):
        build_learner(cfg, Recordings(noisy, torch.float64))
    build_learner(small(f"objective={objective}", "optimizer=soap"), Recordings(noisy, torch.float64))
