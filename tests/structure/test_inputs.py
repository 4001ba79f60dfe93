"""Flows that are driven: signals, the order of every integrator under them, and what they cost where there are none."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from scipy.integrate import solve_ivp
from torch import Tensor

from metastruct.config.schema import CONF
from metastruct.dynamics.dynamics import Scales
from metastruct.integrators.flow import Flow
from metastruct.integrators.integrator import Integrator
from metastruct.integrators.rk4 import RK4
from metastruct.integrators.rollout import rollout
from metastruct.integrators.signal import Signal
from metastruct.running.assembly import build_model, component

STIFFNESS, DAMPING = 3.0, 0.2
INSTANTS = torch.tensor([0.0, 0.3, 0.45, 1.0, 1.2, 2.0], dtype=torch.float64)
VALUES = torch.tensor([[1.0], [-2.0], [0.5], [3.0], [-1.0], [2.0]], dtype=torch.float64)
TIMES = torch.tensor([0.0, 0.7, 1.5, 2.0], dtype=torch.float64)
STARTS = torch.tensor([[[1.0, 0.5], [-1.5, 1.0]]], dtype=torch.float64)


def step_size(integrator: Integrator, size: float) -> Integrator:
    integrator.step_size = size
    return integrator


def integrators() -> dict[str, Path]:
    return {path.stem: path for path in sorted((CONF / "integrator").glob("*.yaml"))}


@pytest.fixture(params=integrators())
def make(request):
    """Makes an integrator of conf/ of a step size."""
    return lambda size: step_size(component(OmegaConf.load(integrators()[request.param])), size)


def field(x: Tensor, u: Tensor, damping: float = 0.0) -> Tensor:
    """q' = p, p' = u - k q - c p; leapfrog is of order two where c is zero."""
    q, p = x.unbind(-1)
    return torch.stack([p, u[..., 0] - STIFFNESS * q - damping * p], dim=-1)


def driven(held: bool) -> Flow:
    return flow_under(Signal(INSTANTS, VALUES, held))


def flow_under(signal: Signal | None = None, constant: float = 0.0) -> Flow:
    """Of the oscillator under a signal or a constant force, with its energy and the power of the force."""
    force = torch.full((1,), constant, dtype=torch.float64)
    return Flow(
        lambda x, u=force: field(x, u.expand(*x.shape[:-1], 1)),
        lambda x: (x[..., 1].square() + STIFFNESS * x[..., 0].square()) / 2,
        signal,
        power=lambda x, u=force: x[..., 1] * u[..., 0],
    )


def exact(held: bool) -> Tensor:
    """By scipy, from instant to instant, the signal written out a second time."""
    ends = np.unique(np.concatenate([INSTANTS, TIMES]))

    def signal(t: float, begin: float) -> float:
        if held:
            return float(VALUES[np.searchsorted(INSTANTS, begin + 1e-9) - 1, 0])
        return float(np.interp(t, INSTANTS, VALUES[:, 0]))

    trajectories = []
    for start in STARTS[0].numpy():
        states = {0.0: start}
        for begin, end in pairwise(ends):
            law = lambda t, x, a=begin: [x[1], signal(t, a) - STIFFNESS * x[0]]  # noqa: E731
            states[end] = solve_ivp(law, (begin, end), states[begin], rtol=1e-12, atol=1e-13, method="DOP853").y[:, -1]
        trajectories.append([states[float(time)] for time in TIMES])
    return torch.tensor(np.array(trajectories))[None]


def observed_order(integrate, truth: Tensor, sizes: tuple[float, float] = (0.05, 0.025)) -> float:
    errors = [float((integrate(size) - truth).abs().max()) for size in sizes]
    return float(np.log2(errors[0] / errors[1]))


# The signal


def test_a_held_signal_keeps_its_value_until_the_next_instant():
    signal, h = Signal(INSTANTS, VALUES, held=True), torch.tensor(0.1, dtype=torch.float64)
    for begin, expected in ((0.0, 1.0), (0.15, 1.0), (0.3, -2.0), (0.35, -2.0), (0.9, 0.5), (1.0, 3.0), (1.9, -1.0)):
        for stage in (0.0, 0.5, 1.0):
            assert signal.at(torch.tensor(begin, dtype=torch.float64), h, stage).item() == expected


def test_an_interpolated_signal_is_a_straight_line_between_its_instants():
    signal = Signal(INSTANTS, VALUES)
    for begin, end in pairwise(INSTANTS):
        for stage in (0.0, 0.25, 0.5, 1.0):
            value = float(signal.at(begin, end - begin, stage))
            assert value == pytest.approx(np.interp(float(begin + stage * (end - begin)), INSTANTS, VALUES[:, 0]))


@pytest.mark.parametrize("held", [True, False])
def test_before_and_after_a_signal_stays_as_it_is(held):
    signal, h = Signal(INSTANTS, VALUES, held), torch.tensor(0.5, dtype=torch.float64)
    assert [signal.at(torch.tensor(t, dtype=torch.float64), h, 0.5).item() for t in (-3.0, 5.0)] == [1.0, 2.0]
    alone = Signal(INSTANTS[:1], VALUES[:1], held)
    assert alone.at(torch.tensor(7.0), h, 0.3).item() == 1.0


def test_a_signal_without_a_value_for_each_instant_is_refused():
    with pytest.raises(ValueError, match=r"inputs must have the instants \[6\] of their times, got \[5\]"):
        Signal(INSTANTS, VALUES[:5])


def test_every_trajectory_may_have_a_signal_of_its_own():
    each = torch.stack([VALUES, -2 * VALUES])[None]  # [tasks, points, instants, input]
    flow = Flow(field, inputs=Signal(INSTANTS, each))
    scheme = step_size(component(OmegaConf.load(integrators()["rk4"])), 0.05)
    together = rollout(flow, STARTS, TIMES, scheme)
    for i in range(2):
        alone = Flow(field, inputs=Signal(INSTANTS, each[:, i : i + 1]))
        torch.testing.assert_close(rollout(alone, STARTS[:, i : i + 1], TIMES, scheme), together[:, i : i + 1])


# Integrators


@pytest.mark.few(2)
@pytest.mark.parametrize("held", [True, False], ids=["jumps", "lines"])
def test_the_order_is_kept_for_steps_end_where_the_inputs_have_an_instant(make, held):
    truth = exact(held)
    order = observed_order(lambda size: rollout(driven(held), STARTS, TIMES, make(size)), truth)
    assert order == pytest.approx(make(0.1).order, abs=0.25)


@pytest.mark.few(2)
def test_the_order_is_lost_where_a_stage_sees_the_value_after_a_jump(make):
    """The control: the same steps, the signal taken at the time of a stage whatever step it belongs to."""

    stages: set[float] = set()

    class Ahead(Signal):
        def at(self, begin: Tensor, length: Tensor, stage: float) -> Tensor:
            stages.add(stage)
            piece = int(torch.searchsorted(self.times, begin + stage * length + 1e-9, right=True)) - 1
            return self.values[..., piece, :]

    def integrate(size: float) -> Tensor:
        flow = flow_under(Ahead(INSTANTS, VALUES, True))
        return rollout(flow, STARTS, TIMES, make(size))

    order = observed_order(integrate, exact(True))
    assert (order < 1.3) == (1.0 in stages)  # the others look at the inside of their steps alone


@pytest.mark.few(1)
def test_the_order_is_lost_where_steps_do_not_end_at_a_jump(make):
    """The control: even steps over an axis of times that knows nothing of the jumps."""

    def integrate(size: float) -> Tensor:
        flow, x, states, scheme = driven(True), STARTS, [STARTS], make(size)
        for begin, end in pairwise(TIMES):
            steps = int(np.ceil(float(end - begin) / size * 0.999))
            for number in range(steps):
                h = (end - begin) / steps
                x = scheme.step(flow.during(begin + number * h, h), x, h)
            states.append(x)
        return torch.stack(states, dim=-2)

    truth, sizes = exact(True), [0.08 / 1.37**k for k in range(8)]
    errors = [float((integrate(size) - truth).abs().max()) for size in sizes]
    slope = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert slope < make(0.1).order - 0.5


# What is not driven


def test_a_flow_that_nothing_drives_never_asks_for_a_time_and_rolls_out_as_it_ever_did(make):
    flow = flow_under()
    assert flow.during(TIMES[0], TIMES[1]) is flow
    scheme, x, states = make(0.05), STARTS, [STARTS]
    for interval in TIMES.diff():
        steps = int(np.ceil(float(interval) / 0.05 * (1 - 1e-12)))
        for _ in range(steps):
            x = scheme.step(flow, x, interval / steps)
        states.append(x)
    assert torch.equal(rollout(flow, STARTS, TIMES, scheme), torch.stack(states, dim=-2))


def test_a_constant_signal_rolls_out_as_the_law_with_that_constant(make):
    constant, plain = flow_under(Signal(INSTANTS[:1], VALUES[:1])), flow_under(constant=float(VALUES[0]))
    torch.testing.assert_close(
        rollout(constant, STARTS, TIMES, make(0.05)), rollout(plain, STARTS, TIMES, make(0.05)), rtol=1e-12, atol=1e-12
    )


def test_a_driven_flow_that_is_not_told_its_step_is_refused():
    with pytest.raises(TypeError, match=r"needs the time of the step; ask flow\.during\(begin, length\)"):
        driven(True).vector_field(STARTS)


def test_a_driven_flow_keeps_no_energy(make_model):
    flow = make_model().dynamics.flow({}, Signal(INSTANTS, VALUES))
    with pytest.raises(TypeError, match="the flow has none"):
        flow.energy(STARTS)


# Dynamics


@pytest.fixture
def make_model(small):
    """Makes a model of a few units with constants of data that a signal drives."""

    def made(*words: str):
        torch.manual_seed(0)
        x = torch.randn(2, 30, 2, dtype=torch.float64)
        scales = Scales.of(x, x.flip(-1), 3 + 2 * x[..., :1])
        return build_model(small(*(words or ("dynamics=unstructured", "modulation=svd"))), scales).double()

    return made


def test_unstructured_dynamics_is_driven_and_its_units_are_those_of_the_data(make_model):
    model = make_model()
    x, u = torch.randn(3, 4, 2, dtype=torch.float64), torch.randn(3, 4, 1, dtype=torch.float64).requires_grad_()
    codes = torch.randn(3, model.code_dim, dtype=torch.float64)
    field = model.vector_field(x, codes, u)
    (gradient,) = torch.autograd.grad(field.sum(), u)
    assert field.shape == x.shape
    assert (gradient != 0).all()
    assert model.dynamics.input_mean == pytest.approx(3, abs=0.6)
    flow = model.dynamics.flow(model.modulation(codes), Signal(INSTANTS, VALUES))
    path = rollout(flow, x, TIMES, component(OmegaConf.load(integrators()["rk4"])))
    assert path.isfinite().all()
    other = model.dynamics.flow(model.modulation(codes), Signal(INSTANTS, -VALUES))
    assert not torch.allclose(path, rollout(other, x, TIMES, component(OmegaConf.load(integrators()["rk4"]))))


@pytest.mark.parametrize(
    "words", [("dynamics=hamiltonian",), ("system=damped_oscillator", "dynamics=generic")], ids=str
)
def test_dynamics_that_nothing_may_drive_refuse_inputs_in_one_line(make_model, words):
    with pytest.raises(
        ValueError, match=r"dynamics takes no inputs, got 1; leave them out or use dynamics=mechanical or port"
    ) as no:
        make_model(*words)
    assert "\n" not in str(no.value)


# Trajectories with times of their own


@pytest.mark.parametrize("held", [True, False])
def test_driven_rollouts_with_times_of_their_own_are_as_many_single_ones(held):
    generator = torch.Generator().manual_seed(0)
    times = (0.05 + 0.3 * torch.rand(2, 3, 7, generator=generator, dtype=torch.float64)).cumsum(-1)
    times[0, 1, 4:] = times[0, 1, 4]  # a trajectory that has ended
    u = torch.randn(2, 3, 7, 1, generator=generator, dtype=torch.float64)
    starts = torch.randn(2, 3, 2, generator=generator, dtype=torch.float64)

    def field(x: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        return torch.stack([x[..., 1], inputs[..., 0] - x[..., 0].sin()], -1)

    scheme = RK4(0.02)
    together = rollout(Flow(field, inputs=Signal(times, u, held)), starts, times, scheme)
    for task, number in np.ndindex(2, 3):
        t = times[task, number].unique()
        signal = Signal(t, u[task, number, : len(t)], held)
        alone = rollout(Flow(field, inputs=signal), starts[task, number][None, None], t, scheme)[0, 0]
        torch.testing.assert_close(together[task, number, : len(t)], alone, rtol=1e-6, atol=1e-8)
        still = rollout(
            Flow(field, inputs=Signal(t, 0 * signal.values, held)), starts[task, number][None, None], t, scheme
        )
        assert (still[0, 0] - alone).abs().max() > 1e-2, "the inputs do nothing"


def test_inputs_at_other_instants_than_those_of_each_trajectory_are_refused():
    times = torch.arange(6.0).reshape(1, 2, 3)
    flow = Flow(lambda x, u: u, inputs=Signal(torch.arange(3.0), torch.zeros(3, 1)))
    with pytest.raises(ValueError, match=r"need inputs at the same times, got \[3\] instants for \[1, 2, 3\]"):
        rollout(flow, torch.zeros(1, 2, 1), times, RK4(0.1))
