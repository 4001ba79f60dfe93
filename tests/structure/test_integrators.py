"""Order, step size and independence of every integrator of conf/integrator; what is symplectic and what is not."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from metastruct.config.facts import CONF
from metastruct.integrators.flow import Flow
from metastruct.integrators.integrator import MOST_STEPS, Integrator
from metastruct.integrators.rk4 import RK4
from metastruct.integrators.rollout import check_steps, rollout
from metastruct.running.assembly import component
from metastruct.systems.pendulum import Pendulum

YAMLS = sorted((CONF / "integrator").glob("*.yaml"))
PENDULUM = Pendulum({"m": [1, 1], "l": [1, 1], "q0": [0, 0]})
MU = np.array([[1.0, 1.0, 0.0]])
STARTS = torch.tensor([[[1.0, 0.5], [-1.5, 1.0], [0.2, -2.0]]], dtype=torch.float64)
J = torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)


def make(path, **settings) -> Integrator:
    return component(OmegaConf.merge(OmegaConf.load(path), settings))


every_integrator = pytest.mark.parametrize("path", YAMLS, ids=lambda path: path.stem)


def pendulum() -> Flow:
    return Flow(
        lambda x: torch.stack([x[..., 1], -6 * torch.sin(x[..., 0])], dim=-1),
        lambda x: x[..., 1] ** 2 / 2 - 6 * torch.cos(x[..., 0]),
    )


def oscillator() -> Flow:
    return Flow(lambda x: torch.stack([x[..., 1], -x[..., 0]], dim=-1), lambda x: (x * x).sum(-1) / 2)


def exact_pendulum(times: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(PENDULUM.solution(STARTS.numpy(), MU, times.numpy()))


def exact_oscillator(times: torch.Tensor) -> torch.Tensor:
    q, p = STARTS[..., :1], STARTS[..., 1:]
    return torch.stack([q * times.cos() + p * times.sin(), p * times.cos() - q * times.sin()], dim=-1)


@pytest.mark.few(4)
@every_integrator
@pytest.mark.parametrize(
    ("flow", "exact", "step"), [(pendulum, exact_pendulum, 0.05), (oscillator, exact_oscillator, 0.1)]
)
def test_error_falls_with_the_stated_order(path, flow, exact, step):
    times = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
    coarse = make(path, step_size=step)
    errors = [
        float((rollout(flow(), STARTS, times, scheme) - exact(times)).abs().max())
        for scheme in (coarse, coarse.finer(), coarse.finer().finer())
    ]
    for larger, smaller in pairwise(errors):
        assert math.log2(larger / smaller) == pytest.approx(coarse.order, abs=0.3)


@every_integrator
def test_rollout_returns_the_start_and_the_times_asked_for(path):
    times = torch.tensor([0.0, 0.013, 0.3, 0.37], dtype=torch.float64)
    states = rollout(pendulum(), STARTS, times, make(path, step_size=0.002))
    assert states.shape == (1, 3, 4, 2)
    torch.testing.assert_close(states[:, :, 0], STARTS, rtol=0, atol=0)
    torch.testing.assert_close(states, exact_pendulum(times), rtol=0, atol=1e-4)


@pytest.mark.parametrize("ragged", [False, True])
def test_a_rollout_that_nobody_waits_for_is_refused(ragged):
    scheme, most = RK4(1e-3), MOST_STEPS * 1e-3

    def check(*instants: float) -> None:
        times = torch.tensor(instants, dtype=torch.float64)
        check_steps(times.expand(1, 3, -1) if ragged else times, scheme)

    check(0.0, 0.5 * most, 0.99 * most)
    check(0.0, 0.5, 0.5) if ragged else check(0.0)
    for stop in (1.01 * most, 1e12, 1e300):
        with pytest.raises(ValueError, match=r"at most 1,000,000 steps, got .* ask for less time, for a larger integ"):
            check(0.0, 1.0, stop)


@every_integrator
def test_finer_halves_the_step_and_leaves_the_original_alone(path):
    scheme = make(path, step_size=0.1)
    fine = scheme.finer()
    assert type(fine) is type(scheme)
    assert (scheme.step_size, fine.step_size) == (0.1, 0.05)


@every_integrator
@pytest.mark.parametrize("step", [0, -0.1, math.nan])
def test_a_step_that_is_not_above_zero_is_refused(path, step):
    with pytest.raises(ValueError, match=r"integrator\.step_size"):
        make(path, step_size=step)


@pytest.mark.few(2)
@every_integrator
def test_a_trajectory_that_blows_up_does_not_touch_its_neighbours(path):
    runaway = Flow(
        lambda x: torch.stack([x[..., 1], x[..., 0] ** 3], dim=-1),
        lambda x: x[..., 1] ** 2 / 2 - x[..., 0] ** 4 / 4,
    )

    times = torch.linspace(0, 4, 9, dtype=torch.float64)
    starts = torch.tensor([[[0.1, 0.0], [9.0, 9.0]], [[9.0, 9.0], [0.0, 0.1]]], dtype=torch.float64)
    scheme = make(path, step_size=0.05)
    states = rollout(runaway, starts, times, scheme)
    assert not states[0, 1, -1].isfinite().any()
    assert not states[1, 0, -1].isfinite().any()
    torch.testing.assert_close(states[:1, :1], rollout(runaway, starts[:1, :1], times, scheme), rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(states[1:, 1:], rollout(runaway, starts[1:, 1:], times, scheme), rtol=1e-13, atol=1e-13)


class Recorder(Integrator):
    """Notes the steps that it is asked to take."""

    order = 1

    def __init__(self, step_size: float):
        super().__init__(step_size)
        self.lengths: list[float] = []

    def step(self, flow: Flow, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        self.lengths.append(float(h))
        return x + h * flow.vector_field(x)


@pytest.mark.parametrize(("step_size", "count"), [(0.1, 10 + 3), (0.3, 4 + 1), (5.0, 1 + 1)])
def test_no_step_is_longer_than_the_step_size_and_none_is_wasted(step_size, count):
    times = torch.tensor([0.0, 1.0, 1.3], dtype=torch.float64)
    recorder = Recorder(step_size)
    rollout(oscillator(), STARTS, times, recorder)
    assert max(recorder.lengths) <= step_size * (1 + 1e-9)
    assert sum(recorder.lengths) == pytest.approx(1.3)
    assert len(recorder.lengths) == count


SYMPLECTIC = ("leapfrog", "implicit_midpoint", "gauss_legendre")
symplectic = pytest.mark.parametrize("name", SYMPLECTIC)


def named(name: str) -> Integrator:
    return make(CONF / "integrator" / f"{name}.yaml")


def one_step(scheme: Integrator, flow: Flow, h: float):
    return lambda x: scheme.step(flow, x, torch.tensor(h, dtype=torch.float64))


def symplectic_defect(scheme: Integrator, h: float) -> float:
    """Largest entry of A^T J A - J over the starts, A the Jacobian of one step on the pendulum."""
    jacobians = [torch.func.jacrev(one_step(scheme, pendulum(), h))(x) for x in STARTS[0]]
    return max(float((A.T @ J @ A - J).abs().max()) for A in jacobians)


@symplectic
@pytest.mark.parametrize("h", [0.1, 0.3])
def test_a_step_is_symplectic_to_round_off(name, h):
    assert symplectic_defect(named(name), h) < 2e-14


def test_rk4_is_not_symplectic():
    # docs/method.md, trap 6: 1e-6 at h = 0.1, falling as h^6; a loose tolerance or a small step would certify it
    defects = [symplectic_defect(RK4(1.0), h) for h in (0.1, 0.05, 0.025)]
    assert 3e-7 < defects[0] < 3e-5
    for larger, smaller in pairwise(defects):
        assert math.log2(larger / smaller) == pytest.approx(6, abs=0.3)


def test_leapfrog_is_not_symplectic_where_the_velocity_depends_on_the_position():
    # H = (1 + q^2) p^2/2 is not T(p) + V(q)
    def geodesic(x: torch.Tensor) -> torch.Tensor:
        q, p = x[..., 0], x[..., 1]
        return torch.stack([(1 + q**2) * p, -q * p**2], dim=-1)

    x = STARTS[0, 0]
    for name, is_symplectic in (("leapfrog", False), ("implicit_midpoint", True)):
        A = torch.func.jacrev(one_step(named(name), Flow(geodesic), 0.1))(x)
        assert bool((A.T @ J @ A - J).abs().max() < 1e-13) == is_symplectic


def return_error(scheme: Integrator, h: float) -> float:
    """Distance from the starts after a step forward and one back."""
    flow = pendulum()
    return float((one_step(scheme, flow, -h)(one_step(scheme, flow, h)(STARTS)) - STARTS).abs().max())


@symplectic
def test_a_step_back_returns_to_the_start(name):
    assert return_error(named(name), 0.2) < 1e-14


@pytest.mark.parametrize("name", ["rk4", "energy_projection"])
def test_a_step_back_of_what_is_not_reversible_does_not_return(name):
    assert return_error(named(name), 0.2) > 1e-6


def energy_change(scheme: Integrator, flow: Flow, starts: torch.Tensor, h: float, steps: int) -> torch.Tensor:
    """|E - E(0)| after each step, `[steps, ..., points]`, relative to the largest |E(0)|."""
    energies, x, step = [flow.energy(starts)], starts, torch.tensor(h, dtype=torch.float64)
    for _ in range(steps):
        x = scheme.step(flow, x, step)
        energies.append(flow.energy(x))
    return (torch.stack(energies) - energies[0]).abs() / energies[0].abs().max()


@pytest.mark.parametrize(
    ("name", "keeps"), [("implicit_midpoint", True), ("gauss_legendre", True), ("leapfrog", False)]
)
def test_gauss_collocation_keeps_quadratic_invariants_to_round_off(name, keeps):
    change = energy_change(named(name), oscillator(), STARTS, 0.2, 200).max()
    assert change < 1e-13 if keeps else change > 1e-3


def test_fast_and_slow_trajectories_may_have_steps_of_their_own():
    h = torch.tensor([[0.1], [0.2], [0.05]], dtype=torch.float64)
    for path in YAMLS:
        scheme = make(path)
        together = scheme.step(pendulum(), STARTS, h)
        for i, own in enumerate(h[:, 0]):
            alone = scheme.step(pendulum(), STARTS[:, i : i + 1], own)
            torch.testing.assert_close(together[:, i : i + 1], alone, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("name", ["implicit_midpoint", "gauss_legendre"])
def test_where_the_iteration_does_not_converge_the_trajectory_is_nan_and_the_user_is_told(name):
    h = torch.tensor([[0.1], [3.0], [0.1]], dtype=torch.float64)  # 3.0 times the frequency is above two
    with pytest.warns(RuntimeWarning, match=r"1 steps of 1 of 3 trajectories .* 1 became NaN; .*step_size"):
        x = named(name).step(oscillator(), STARTS, h)
    assert x[0, 1].isnan().all()
    assert x[0, [0, 2]].isfinite().all()


def test_energy_projection_refuses_a_flow_without_an_energy():
    with pytest.raises(TypeError, match="needs an energy"):
        named("energy_projection").step(Flow(lambda x: -x), STARTS, torch.tensor(0.1))


def test_a_flow_counts_its_evaluations():
    flow = pendulum()
    for name, expected in (("rk4", 4), ("leapfrog", 3)):
        before = flow.evaluations
        named(name).step(flow, STARTS, torch.tensor(0.1))
        assert flow.evaluations - before == expected


def metriplectic() -> Flow:
    """The damped oscillator of docs/method.md, section 5 with k = 1, gamma = 0.2: E = p^2/2 - cos q + S."""

    def field(x: torch.Tensor) -> torch.Tensor:
        q, p, _ = x.unbind(-1)
        return torch.stack([p, -q.sin() - 0.2 * p, 0.2 * p**2], dim=-1)

    return Flow(field, lambda x: x[..., 1] ** 2 / 2 - x[..., 0].cos() + x[..., 2])


DAMPED = torch.tensor([[[1.0, 0.5, 0.0], [-1.5, 0.4, 0.3]]], dtype=torch.float64)
LONG = 10_000


@pytest.mark.torture
def test_energy_projection_keeps_both_laws_of_a_metriplectic_flow_over_ten_thousand_steps():
    scheme, flow, h = named("energy_projection"), metriplectic(), torch.tensor(0.1, dtype=torch.float64)
    states = [DAMPED]
    for _ in range(LONG):
        states.append(scheme.step(flow, states[-1], h))
    path = torch.stack(states)
    energy, production = flow.energy(path), path[..., 2].diff(dim=0)
    assert (energy - energy[0]).abs().max() < 1e-13
    assert (path[-1, ..., 2] - path[0, ..., 2]).min() > 0.1
    assert (production[:500] > 0).all()
    assert production.min() > -4 * torch.finfo(torch.float64).eps  # at rest there is nothing but rounding


def test_energy_projection_keeps_a_learned_energy_and_rk4_does_not(small, random_model):
    model = random_model(small("modulation=svd", "dynamics=hamiltonian", net__depth=1), gain=3.0)
    with torch.no_grad():
        flow = model.dynamics.flow(model.modulation(torch.ones(1, model.code_dim, dtype=torch.float64)))
        assert energy_change(named("energy_projection"), flow, STARTS, 0.3, 300).max() < 1e-12
        assert energy_change(RK4(1.0), flow, STARTS, 0.3, 300).max() > 1e-8


@pytest.mark.torture
def test_energy_projection_keeps_the_energy_of_a_generic_net_over_ten_thousand_steps_and_rk4_does_not(
    small, random_model
):
    model = random_model(small("system=damped_oscillator", net__depth=1), gain=2.0).requires_grad_(False)
    updates = model.modulation(torch.ones(1, model.code_dim, dtype=torch.float64))
    own, h = model.dynamics.flow(updates), torch.tensor(0.02, dtype=torch.float64)
    with torch.no_grad():  # traced, for a step is a hundred small operations
        flow = Flow(torch.jit.trace(own.vector_field, DAMPED), torch.jit.trace(own.energy, DAMPED))
    for name, steps, keeps in (("energy_projection", LONG, True), ("rk4", LONG // 10, False)):
        scheme, x, largest = named(name), DAMPED, 0.0
        for number in range(steps):
            x = scheme.step(flow, x, h)
            if number % 100 == 99:
                largest = max(largest, float((own.energy(x) - own.energy(DAMPED)).abs().max()))
        scale = (own.energy_gradient(x) * x).norm(dim=-1).max()  # the orbit goes far: this is what rounding is of
        assert largest < 1e-12 * scale if keeps else largest > 1e-10 * scale
        assert (model.dynamics.entropy(x, updates) > model.dynamics.entropy(DAMPED, updates)).all()


@pytest.mark.parametrize(("flow", "starts"), [(pendulum, STARTS), (metriplectic, DAMPED)])
def test_rk4_does_not_keep_the_energy(flow, starts):
    assert energy_change(RK4(1.0), flow(), starts, 0.1, 1000).max() > 1e-7


def test_who_waits_may_raise_the_limit_of_steps():
    times, integrator = torch.tensor([0.0, 1.5]), RK4(1e-6)
    with pytest.raises(ValueError, match=r"at most 1,000,000 steps, .*, or raise trainer\.work$"):
        check_steps(times, integrator)
    check_steps(times, integrator, work=2.0)
    with pytest.raises(ValueError, match=r"at most 2,000,000 steps, .*, or wait$"):
        check_steps(2 * times, integrator, work=2.0, fix="wait")
    with pytest.raises(ValueError, match="at most 1,000,000 steps"):
        check_steps(times, integrator)
