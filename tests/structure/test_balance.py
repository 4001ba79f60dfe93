"""Integrators that keep the balance of power of what is damped and driven, and those that are reversible."""

from __future__ import annotations

import pytest
import torch
from driven import doubled, scales
from omegaconf import OmegaConf
from torch import Tensor

from metastruct.config.schema import CONF
from metastruct.integrators.flow import Flow
from metastruct.integrators.integrator import Integrator
from metastruct.integrators.rk4 import ABSCISSAE, RK4
from metastruct.integrators.signal import Signal
from metastruct.running.assembly import build_model, component

STEP = torch.tensor(0.1, dtype=torch.float64)
DYNAMICS = ("mechanical", "port_hamiltonian")


def scheme(name: str) -> Integrator:
    return component(OmegaConf.load(CONF / "integrator" / f"{name}.yaml"))


def flow_of(small, dynamics: str, friction: str | None = None, inputs: int = 2) -> tuple[Flow, Tensor]:
    """Of random members, driven along lines, and states."""
    torch.manual_seed(0)
    words = () if friction is None else (f"dynamics.friction={friction}",)
    model = doubled(build_model(small(f"dynamics={dynamics}", *words, net__width=8), scales(4, inputs)))
    codes, x = torch.randn(3, model.code_dim, dtype=torch.float64), torch.randn(3, 5, 4, dtype=torch.float64)
    times, values = torch.tensor([0.0, 1.0], dtype=torch.float64), torch.randn(2, inputs, dtype=torch.float64)
    signal = Signal(times, values) if inputs else None
    model.requires_grad_(False)
    flow = model.dynamics.flow(model.modulation(codes), signal)
    return flow.during(0.3 * STEP, STEP), x


@torch.no_grad()
def defect(name: str, flow: Flow, x: Tensor) -> float:
    """Of the energy after a step, over its gain: the power at the midpoint, or Runge-Kutta's quadrature of it."""
    after = scheme(name).step(flow, x, STEP)
    if name in ("balanced_midpoint", "implicit_midpoint"):
        gain = STEP * flow.power((x + after) / 2, 0.5)
    else:
        places = RK4(1.0).stages(flow, x, STEP)[1]
        first, second, third, last = (flow.power(*pair) for pair in zip(places, ABSCISSAE, strict=True))
        gain = STEP / 6 * (first + 2 * (second + third) + last)
    assert gain.abs().max() > 1e-2
    return float((flow.energy(after) - flow.energy(x) - gain).abs().max() / gain.abs().max())


@pytest.mark.parametrize("dynamics", DYNAMICS)
@pytest.mark.parametrize(
    ("name", "control"), [("balanced_midpoint", "implicit_midpoint"), ("energy_projection", "rk4")]
)
def test_a_step_changes_the_energy_by_what_inputs_give_and_friction_takes(small, dynamics, name, control):
    flow, x = flow_of(small, dynamics)
    assert defect(name, flow, x) < 1e-12
    assert defect(control, flow, x) > 1e-9


@pytest.mark.parametrize("dynamics", DYNAMICS)
def test_energy_is_kept_where_nothing_takes_or_gives(small, dynamics):
    flow, x = flow_of(small, dynamics, "none", 0)
    assert flow.keeps_energy

    @torch.no_grad()
    def drift(name: str) -> float:
        return float((flow.energy(scheme(name).step(flow, x, STEP)) - flow.energy(x)).abs().max())

    assert drift("balanced_midpoint") < 1e-12
    assert drift("energy_projection") < 1e-12
    assert drift("rk4") > 1e-11


@pytest.mark.parametrize("name", ["balanced_midpoint", "verlet"])
def test_reversible_schemes_go_back_to_where_they_began(small, name):
    flow, x = flow_of(small, "mechanical")
    back = flow.during(1.3 * STEP, -STEP)

    def gap(integrator: Integrator) -> float:
        there = integrator.step(flow, x, STEP)
        return float((integrator.step(back, there, -STEP) - x).abs().max())

    assert gap(scheme(name)) < 1e-12
    assert gap(RK4(1.0)) > 1e-9


def test_verlet_is_symplectic_for_constant_masses_and_rk4_is_not(small):
    torch.manual_seed(0)
    words = ("dynamics=mechanical", "dynamics.mass=constant", "dynamics.friction=none")
    model = doubled(build_model(small(*words, net__width=8), scales(4, 0)))
    codes, x = torch.randn(1, model.code_dim, dtype=torch.float64), torch.randn(1, 1, 4, dtype=torch.float64)
    updates = model.modulation(codes)
    flow, mass = model.dynamics.flow(updates), model.dynamics.mass(x, updates)[0, 0].detach()
    form = torch.zeros(4, 4, dtype=torch.float64)  # dq ^ dp with p = M v
    form[:2, 2:], form[2:, :2] = mass, -mass

    def broken(integrator: Integrator) -> float:
        jacobian = torch.autograd.functional.jacobian(
            lambda y: integrator.step(flow, y[None, None], STEP)[0, 0], x[0, 0]
        )
        return float((jacobian.mT @ form @ jacobian - form).abs().max())

    assert broken(scheme("verlet")) < 1e-12
    assert broken(RK4(1.0)) > 1e-11


def test_a_step_where_no_state_has_the_energy_that_is_asked_for_is_left_as_it_is_and_says_so():
    """At rest at the bottom, where a power that is wrong takes what is not there; elsewhere it is believed."""
    flow = Flow(lambda x: -x, lambda x: x.square().sum(-1) / 2, power=lambda x: -x.square().sum(-1) - 1e-3)
    x = torch.tensor([[0.0, 1e-9], [3.0, 1.0]], dtype=torch.float64)
    for name in ("balanced_midpoint", "energy_projection"):
        with pytest.warns(RuntimeWarning, match="1 steps of 1 of 2 traj.* not solved: 1 were taken without correction"):
            after = scheme(name).step(flow, x, STEP)
        assert after.isfinite().all()
        assert after[0].abs().max() < 2e-9
        assert abs(flow.energy(after)[1] - scheme("rk4").step(flow, x, STEP)[1].square().sum() / 2) > 1e-5
