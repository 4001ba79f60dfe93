"""SOAP is Adam in the eigenbases of Shampoo's factors, which see a problem as whoever turned it would."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from metastruct.optimizers.adam import Adam
from metastruct.optimizers.soap import SOAP

RATES = {"base_rate": 0.02, "code_rate": 0.03, "beta2": 0.95}
Gradient = Callable[[Tensor, int], Tensor]


def draws(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def orthogonal(size: int, seed: int) -> Tensor:
    return torch.linalg.qr(draws(size, size, seed=seed)).Q


def problem(dtype: torch.dtype = torch.float64) -> Gradient:
    """The gradient of |A W B - C|^4, C a draw of each step, whose curvature is not the same in any two directions.

    A gradient that comes twice is diagonal in its own bases, and what is beside the diagonal is round-off.
    """
    a, b = draws(5, 5, seed=1, dtype=dtype), draws(5, 5, seed=2, dtype=dtype)
    return lambda w, step: a.mT @ (a @ w @ b - draws(5, 5, seed=100 + step, dtype=dtype)) ** 3 @ b.mT


PROBLEM = problem()


def path(
    rule: torch.optim.Optimizer, parameters: Sequence[Tensor], gradient: Gradient, steps: int, first: int = 0
) -> list[Tensor]:
    """The first of the parameters after each step."""
    walked = []
    for step in range(first, first + steps):
        for parameter in parameters:
            parameter.grad = gradient(parameter.detach(), step)
        rule.step()
        walked.append(parameters[0].detach().clone())
    return walked


def of(optimizer: Adam | SOAP, start: Tensor, gradient: Gradient = PROBLEM, steps: int = 30) -> list[Tensor]:
    parameter = torch.nn.Parameter(start.clone())
    (rule,) = optimizer.over([parameter])
    return path(rule, [parameter], gradient, steps)


def soap(every: int = 1, longest: int = 64, **rates: float) -> SOAP:
    return SOAP(every=every, longest=longest, **RATES | rates)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 1), (2, 6, 4)])
def test_bases_are_orthonormal_and_of_the_factors(dtype, shape):
    parameter = torch.nn.Parameter(draws(*shape, dtype=dtype))
    (rule,) = soap(every=3).over([parameter], replicas=len(shape) - 2)
    for step in range(40):
        parameter.grad = draws(*shape, seed=step, dtype=dtype)
        rule.step()
    (state,) = rule.state.values()
    round_off = 30 * torch.finfo(dtype).eps
    for side in (0, 1):
        basis, factor = state[f"basis{side}"], state[f"factor{side}"]
        size = basis.shape[-1]
        assert basis.dtype == parameter.dtype
        assert (basis.mT @ basis - torch.eye(size, dtype=dtype)).abs().max() < round_off
        torch.testing.assert_close(factor, factor.mT)


def test_bases_are_eigenvectors_where_the_factors_rest():
    """The same gradient again and again; QR iteration keeps what eigh found, largest eigenvalue first."""
    parameter, gradient = torch.nn.Parameter(torch.zeros(5, 5, dtype=torch.float64)), draws(5, 5)
    (rule,) = soap().over([parameter])
    path(rule, [parameter], lambda w, step: gradient, 20)
    (state,) = rule.state.values()
    for side in (0, 1):
        (basis,), (factor,) = state[f"basis{side}"], state[f"factor{side}"]
        seen = basis.mT @ factor @ basis
        values = seen.diagonal()
        assert (seen - torch.diag(values)).abs().max() < 1e-12 * values.max()
        assert (values.diff() < 0).all()


def test_without_a_rotation_it_is_adam():
    start = draws(5, 5, seed=4)
    ours, theirs = of(soap(longest=1), start), of(Adam(**RATES), start)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)
    assert (of(soap(), start)[-1] - theirs[-1]).abs().max() > 1e-2


def test_vectors_and_codes_take_the_steps_of_adam():
    walked = []
    for optimizer in (soap(), Adam(**RATES)):
        base, vector, codes = (torch.nn.Parameter(draws(*shape)) for shape in ((5, 5), (5,), (4, 5)))
        (rule,) = optimizer.over([base, vector], codes)
        for step in range(10):
            base.grad = PROBLEM(base.detach(), step)
            vector.grad, codes.grad = 3 * vector.detach() ** 3, codes.detach() ** 3
            rule.step()
        walked.append([each.detach() for each in (base, vector, codes)])
    torch.testing.assert_close(walked[0][1:], walked[1][1:], rtol=1e-10, atol=1e-12)
    assert not torch.allclose(walked[0][0], walked[1][0])


@pytest.mark.parametrize("turned", ["left", "right", "both"])
def test_a_problem_that_is_turned_is_solved_along_a_path_that_is_turned(turned):
    p = orthogonal(5, 6) if turned != "right" else torch.eye(5, dtype=torch.float64)
    q = orthogonal(5, 7) if turned != "left" else torch.eye(5, dtype=torch.float64)
    gradient, start = PROBLEM, draws(5, 5, seed=4)

    def elsewhere(w: Tensor, step: int) -> Tensor:
        return p @ gradient(p.mT @ w @ q, step) @ q.mT

    def off(optimizer: Adam | SOAP) -> float:
        here = of(optimizer, start, gradient, 40)
        there = of(optimizer, p @ start @ q.mT, elsewhere, 40)
        return max(float((p.mT @ b @ q - a).abs().max()) for a, b in zip(here, there, strict=True))

    assert off(soap()) < 1e-8
    assert off(Adam(**RATES)) > 1e-2
    assert off(soap(longest=1)) > 1e-2


def test_it_reaches_a_turned_and_stretched_valley_sooner_than_adam():
    """A quadratic with a curvature of Kronecker factors, each of condition number a hundred."""
    stretch = torch.logspace(-1, 1, 6, dtype=torch.float64)
    left, right = ((u := orthogonal(6, seed)) * stretch @ u.mT for seed in (8, 9))
    goal, start = draws(6, 6, seed=10), torch.zeros(6, 6, dtype=torch.float64)
    ends = [of(each, start, lambda w, step: left @ (w - goal) @ right, 400)[-1] for each in (soap(), Adam(**RATES))]
    ours, theirs = (float(((w - goal) * (left @ (w - goal) @ right)).sum()) for w in ends)
    assert ours < 0.5 * theirs


def test_the_gradient_of_a_step_is_not_seen_in_its_own_bases():
    """In them it is diagonal: the first step would go along the singular vectors alone, and along round-off."""
    walked = of(soap(every=10), draws(5, 5, seed=4), PROBLEM, 2)
    assert torch.equal(walked[0], draws(5, 5, seed=4))
    assert not torch.equal(walked[1], walked[0])


@pytest.mark.parametrize("stop", [1, 4, 5, 6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_goes_on_bit_by_bit_across_a_refresh_of_the_bases(dtype, stop):
    gradient = problem(dtype)

    def begun() -> tuple[torch.optim.Optimizer, list[torch.nn.Parameter]]:
        parameters = [torch.nn.Parameter(draws(*s, seed=4, dtype=dtype)) for s in ((5, 5), (5, 5))]
        return soap(every=5).over(parameters)[0], parameters

    rule, parameters = begun()
    whole = path(rule, parameters, gradient, 20)
    rule, parameters = begun()
    path(rule, parameters, gradient, stop)
    resumed, others = begun()
    for other, parameter in zip(others, parameters, strict=True):
        other.data.copy_(parameter.data)
    resumed.load_state_dict(copy.deepcopy(rule.state_dict()))
    assert torch.equal(path(resumed, others, gradient, 20 - stop, stop)[-1], whole[-1])


def test_matrices_of_one_shape_and_replicas_step_as_they_would_alone():
    starts, gradient = draws(3, 5, 5, seed=4), PROBLEM
    alone = [of(soap(every=3), start, gradient)[-1] for start in starts]
    beside = [torch.nn.Parameter(start.clone()) for start in starts]
    path(soap(every=3).over(beside)[0], beside, gradient, 30)
    together = torch.nn.Parameter(starts.clone())
    path(soap(every=3).over([together], replicas=1)[0], [together], gradient, 30)
    for i, expected in enumerate(alone):
        torch.testing.assert_close(beside[i].detach(), expected, rtol=1e-9, atol=1e-10)
        torch.testing.assert_close(together[i].detach(), expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("at", [0, 1, 7])
def test_a_replica_that_is_no_number_leaves_the_others_alone(at):
    ends = []
    for spoiled in (False, True):
        parameter = torch.nn.Parameter(draws(3, 5, 5, seed=4))
        (rule,) = soap(every=3).over([parameter], replicas=1)
        for step in range(12):
            parameter.grad = PROBLEM(parameter.detach(), step)
            if spoiled and step >= at:
                parameter.grad[1] = torch.nan
            rule.step()
        ends.append(parameter.detach())
    assert torch.equal(ends[0][[0, 2]], ends[1][[0, 2]])
    assert ends[1][1].isnan().all()


def test_gradients_of_other_parameters_than_before_are_refused():
    parameters = [torch.nn.Parameter(draws(5, 5)) for _ in range(2)]
    (rule,) = soap().over(parameters)
    path(rule, parameters, PROBLEM, 2)
    parameters[1].grad = None
    with pytest.raises(ValueError, match=r"gradients of the same parameters .* got 1 of the shape \[5, 5\] where .* 2"):
        rule.step()


@pytest.mark.parametrize("settings", [{"every": 0}, {"longest": 0}])
def test_settings_that_mean_nothing_are_refused(settings):
    with pytest.raises(ValueError, match="needs every >= 1 and longest >= 1"):
        soap(**settings)
