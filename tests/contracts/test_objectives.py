"""What every objective of conf/objective promises; a new yaml is tested without an edit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from metastruct.adaptation.adaptation import Prior
from metastruct.adaptation.gaussian import decrement, quadratic
from metastruct.adaptation.jacobian import Residual, with_jacobian
from metastruct.adaptation.levenberg_marquardt import LevenbergMarquardt
from metastruct.data.observations import ESTIMATED, PARTS, Observations
from metastruct.data.recordings import Recordings
from metastruct.data.shots import support
from metastruct.data.trajectory import Member, Trajectory
from metastruct.dynamics.model import ModulatedModel
from metastruct.integrators.gauss_legendre import GaussLegendre
from metastruct.integrators.rollout import rollout
from metastruct.objectives.objective import Objective
from metastruct.running.assembly import component

TASKS, TRAJECTORIES, INSTANTS = 3, 3, 25


@pytest.fixture(scope="module")
def objective(composed, any_objective, members) -> Objective:
    return component(composed(f"objective={any_objective}").objective).settled(Recordings(members, torch.float64))


@pytest.fixture(scope="module")
def model(small, random_model) -> ModulatedModel:
    return random_model(small("modulation=svd", modulation__scale=0.3), gain=3.0)


@pytest.fixture(scope="module")
def codes(model) -> Tensor:
    return torch.randn(TASKS, model.code_dim, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def seen(model: ModulatedModel, codes: Tensor, instants: int) -> list[Member]:
    """Members that do what the model itself does with these codes, at so many instants of the same span."""
    generator = torch.Generator().manual_seed(2)
    starts = torch.randn(TASKS, TRAJECTORIES, 2, dtype=torch.float64, generator=generator)
    times = torch.linspace(0, 0.4, instants, dtype=torch.float64)
    with torch.no_grad():
        states = rollout(model.dynamics.flow(model.modulation(codes)), starts, times, GaussLegendre(0.01))
        dxdt = model.vector_field(states.flatten(1, 2), codes).reshape(states.shape)
    return [
        Member(tuple(Trajectory(times.numpy(), *each, noise=np.zeros(2)) for each in zip(*task, strict=True)))
        for task in zip(states.numpy(), dxdt.numpy(), strict=True)
    ]


@pytest.fixture(scope="module")
def members(model, codes) -> list[Member]:
    return seen(model, codes, INSTANTS)


@pytest.fixture(scope="module")
def observations(objective, model, members, codes) -> Observations:
    return objective.renewed(model, drawn(objective, members, 4 * objective.window), codes)


def test_all_that_an_objective_learned_goes_to_a_device(objective):
    learned = objective.learned({}, torch.ones(objective.components(2)))
    parts = [part for part in vars(learned.to("meta")).values() if isinstance(part, Tensor)]
    assert parts
    assert all(part.is_meta for part in parts)
    assert not any(part.is_meta for part in vars(learned).values() if isinstance(part, Tensor))


def drawn(objective: Objective, members: list[Member], shots: int) -> Observations:
    return support(members, shots, 0, objective.request)


@pytest.fixture(scope="module")
def fuller(objective, members) -> Observations:
    """Those of a task that has fewer than the others, filled up."""
    first, count = members[0].trajectories[0], objective.window
    few = Trajectory(first.times[:count], first.states[:count], first.derivatives[:count], noise=first.noise)
    filled = drawn(objective, [Member((few,)), *members[1:]], 4 * objective.window)
    assert filled.mask is not None
    return filled


@pytest.fixture(scope="module")
def elsewhere(codes) -> Tensor:
    """Codes that do not explain the observations."""
    return codes + 0.5


def parts_of(objective: Objective, observations: Observations) -> dict[str, Tensor]:
    """What it reads, where that is there, and what it made of it."""
    parts = {name: getattr(observations, name) for name in (*objective.reads, "operator", "mask")}
    return {name: part for name, part in parts.items() if part is not None}


def windows(objective: Objective, order: Tensor) -> Tensor:
    """The points of windows in this order."""
    return (order[:, None] * objective.window + torch.arange(objective.window)).flatten()


def test_what_it_reads_is_there_and_it_asks_for_a_window_of_samples(objective, members):
    parts = Recordings(members, torch.float64).read((*PARTS, *ESTIMATED))
    assert set(objective.reads) <= {*parts, "inputs"}
    assert "states" in objective.reads
    assert objective.window >= 1


def test_a_residual_has_one_row_a_task_and_as_many_numbers_for_each_window(objective, model, observations, elsewhere):
    residual = objective.residual(model, observations, elsewhere)
    assert residual.shape[:-1] == (TASKS,)
    assert residual.shape[-1] % (observations.states.shape[1] // objective.window) == 0
    half = objective.residual(
        model, observations.at(windows(objective, torch.arange(2)).expand(len(observations), -1)), elsewhere
    )
    torch.testing.assert_close(half, residual[:, : half.shape[-1]])


def test_a_loss_is_the_sum_of_squares_over_the_points(objective, model, observations, elsewhere):
    residual = objective.residual(model, observations, elsewhere)
    expected = (residual**2).sum(-1) / observations.count
    torch.testing.assert_close(objective.loss(model, observations, elsewhere), expected)


def test_the_model_at_its_own_data_leaves_nothing_but_an_error_that_falls_with_the_sampling_and_another_code_does(
    objective, model, observations, codes, elsewhere
):
    finer = seen(model, codes, 4 * (INSTANTS - 1) + 1)
    coarse, fine = (
        objective.residual(model, seen_at, codes).abs().max()
        for seen_at in (observations, objective.renewed(model, drawn(objective, finer, 10**6), codes))
    )
    assert fine < 1e-6 or fine < 0.3 * coarse
    assert (
        objective.loss(model, observations, codes).max() < 1e-2 * objective.loss(model, observations, elsewhere).min()
    )


def test_tasks_do_not_see_each_other(objective, model, observations, elsewhere):
    whole = objective.residual(model, observations, elsewhere)
    for task in range(TASKS):
        one = slice(task, task + 1)
        alone = objective.residual(model, observations.of(one), elsewhere[one])
        torch.testing.assert_close(alone, whole[one], rtol=1e-10, atol=1e-12)
    moved = elsewhere.clone()
    moved[0] += 0.3
    change = (objective.residual(model, observations, moved) - whole).abs().amax(-1)
    assert change[0] > 1e-3
    assert change[1:].max() == 0


def test_masked_points_contribute_exactly_nothing(objective, model, fuller, elsewhere):
    known = fuller.mask[0]
    spoiled = replace(fuller, states=torch.where(fuller.mask[..., None], fuller.states, 17.0))
    z = elsewhere.clone().requires_grad_()
    fuller, spoiled, unmasked, alone = (
        objective.renewed(model, each, elsewhere[: len(each)])
        for each in (
            fuller,
            spoiled,
            replace(spoiled, mask=None),
            Observations(**{name: part[:1, known] for name, part in parts_of(objective, fuller).items()}),
        )
    )
    residuals = [objective.residual(model, each, z) for each in (fuller, spoiled)]
    assert torch.equal(*residuals)
    assert torch.equal(*(objective.loss(model, each, z) for each in (fuller, spoiled)))
    assert torch.equal(*(torch.autograd.grad(residual.square().sum(), z)[0] for residual in residuals))
    torch.testing.assert_close(objective.loss(model, alone, elsewhere[:1]), objective.loss(model, fuller, z)[:1])
    assert (objective.loss(model, unmasked, elsewhere)[0] - objective.loss(model, fuller, z)[0]).abs() > 1e-3


def test_points_in_another_order_have_their_residuals_in_that_order_and_the_same_loss(
    objective, model, observations, elsewhere
):
    count = observations.states.shape[1] // objective.window
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    shuffled = observations.at(windows(objective, order).expand(len(observations), -1))
    residual = objective.residual(model, observations, elsewhere).unflatten(-1, (count, -1))
    ours = objective.residual(model, shuffled, elsewhere).unflatten(-1, (count, -1))
    torch.testing.assert_close(ours, residual[:, order], rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(
        objective.loss(model, shuffled, elsewhere), objective.loss(model, observations, elsewhere)
    )


def test_gradient_and_forward_mode_for_codes_are_those_of_finite_differences(objective, model, observations, elsewhere):
    def residual(z: Tensor) -> Tensor:
        return objective.residual(model, observations, z)

    values, jacobian = with_jacobian(residual, elsewhere)
    z, h = elsewhere.clone().requires_grad_(), 1e-5
    torch.testing.assert_close(values, residual(elsewhere))
    (gradient,) = torch.autograd.grad(objective.loss(model, observations, z).sum(), z)
    with torch.no_grad():
        for i, step in enumerate(h * torch.eye(model.code_dim, dtype=torch.float64)):
            ends = elsewhere + step, elsewhere - step
            change = (residual(ends[0]) - residual(ends[1])) / (2 * h)
            torch.testing.assert_close(jacobian[..., i], change, rtol=1e-6, atol=1e-7)
            losses = [objective.loss(model, observations, end) for end in ends]
            torch.testing.assert_close(gradient[:, i], (losses[0] - losses[1]) / (2 * h), rtol=1e-6, atol=1e-7)


def test_a_leading_axis_of_replicas_gives_the_residuals_of_single_models(objective, model, observations, elsewhere):
    other = {name: 1.1 * value.detach() for name, value in model.named_parameters()}
    stacked = {name: torch.stack([value.detach(), other[name]]) for name, value in model.named_parameters()}
    zs = torch.stack([elsewhere, 0.5 * elsewhere])
    parts = {name: torch.stack([part, part]) for name, part in parts_of(objective, observations).items()}
    both = Observations(**parts)

    class Residual(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, data: Observations, z: Tensor) -> Tensor:
            return objective.residual(self.model, data, z)

    def of(parameters: dict[str, Tensor], data: Observations, z: Tensor) -> Tensor:
        named = {f"model.{name}": value for name, value in parameters.items()}
        return torch.func.functional_call(Residual(), named, (data, z))

    ours = of(stacked, both, zs)
    theirs = [of(dict(model.named_parameters()), observations, zs[0]), of(other, observations, zs[1])]
    torch.testing.assert_close(ours, torch.stack(theirs), rtol=1e-9, atol=1e-11)
    assert objective.loss(model, both, zs).shape == (2, TASKS)


def test_without_codes_it_is_that_of_the_base(objective, small, random_model, observations):
    model = random_model(small("modulation=weights"), gain=3.0)
    zero = torch.zeros(TASKS, model.code_dim, dtype=torch.float64)
    base, changed = (objective.residual(model, observations, z) for z in (None, zero))
    torch.testing.assert_close(base, changed)
    assert not torch.allclose(base, objective.residual(model, observations, zero + 0.1))


@pytest.mark.few(1)
def test_an_adaptation_ends_at_the_code_that_made_the_data_and_at_a_minimum(objective, model, members, codes):
    generator = torch.Generator().manual_seed(4)
    several = torch.cat([codes, torch.randn(20, model.code_dim, dtype=torch.float64, generator=generator)])
    noise = torch.full((objective.components(2),), 1e-6, dtype=torch.float64)
    objective = objective.learned(objective.numbers, noise)
    prior, observations = Prior.of(several, objective.likelihood(noise)), drawn(objective, members, 10**6)
    fit = LevenbergMarquardt(20).fit(model, objective, observations, prior.mean.expand(TASKS, -1), prior)
    assert fit.converged.all()
    off = fit.codes - codes
    assert ((off[:, None] @ torch.linalg.inv(fit.covariance) @ off[..., None]).sqrt() < 2).all()
    exact = Residual(model, objective, objective.renewed(model, observations, fit.codes))
    _, distance = decrement(quadratic(exact, fit.codes, prior), prior)
    assert (distance < 0.2).all()
    here = quadratic(exact, fit.codes, prior)
    again = quadratic(exact, fit.codes, prior, here.field)
    torch.testing.assert_close(again.curvature, here.curvature)
    torch.testing.assert_close(again.gradient, here.gradient)
    _, away = decrement(quadratic(exact, fit.codes + 0.1, prior), prior)
    assert (away > 1).all()
