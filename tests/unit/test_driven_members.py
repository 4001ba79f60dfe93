"""Driven members whose law nobody knows, at times of their own: a member that is exact is measured to be exact.

The members are q' = p, p' = u(t) - k q, integrated by scipy from instant to instant with the input held or joined by
lines. The controls are a member that looks away from its input, and one that takes held inputs for lines.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch import Tensor

from metastruct.adaptation.adaptation import Fit, Prior
from metastruct.config.facts import in_order
from metastruct.config.needs import Piece
from metastruct.data.source import Source
from metastruct.data.trajectory import Member, Trajectory
from metastruct.dynamics.dynamics import Dynamics
from metastruct.evaluation.fitted import Learned, Protocol
from metastruct.evaluation.protocol import evaluate
from metastruct.integrators.rk4 import RK4
from metastruct.objectives.derivatives import Derivatives
from metastruct.running.protocol import build_metrics

STIFFNESS = (0.7, 1.0, 1.6)
PIECES = {"dynamics": "unstructured", "adaptation": "levenberg_marquardt", "data": "simulated"}
MEASURED = {"trajectory_error", "integrator_error", "support_loss", "observed_field_error", "observed_coverage_95"}
MEASURED |= {"forecast_error", "forecast_error_third", "forecast_error_tenth", "forecast_coverage_95"}
MEASURED |= {"one_step_error", "residual_whiteness", "forecast_error_sigma"}


def member(k: float, lengths: list[int], held: bool, even: bool) -> Member:
    rng = np.random.default_rng(int(100 * k))

    def trajectory(length: int) -> Trajectory:
        t = 0.2 * np.arange(length) if even else 50 + rng.uniform(0.05, 0.4, length).cumsum()
        u, x = rng.normal(size=(length, 1)), rng.normal(size=(length, 2))
        for i in range(1, length):

            def law(time: float, y: np.ndarray, i: int = i) -> list[float]:
                share = 0.0 if held else (time - t[i - 1]) / (t[i] - t[i - 1])
                return [y[1], u[i - 1, 0] + share * (u[i, 0] - u[i - 1, 0]) - k * y[0]]

            x[i] = solve_ivp(law, t[i - 1 : i + 1], x[i - 1], rtol=1e-11, atol=1e-12).y[:, -1]
        return Trajectory(t, x, np.stack([x[:, 1], u[:, 0] - k * x[:, 0]], -1), u)

    return Member(tuple(map(trajectory, lengths)), np.array([k]))


def source(held: bool = False, even: bool = False) -> Source:
    every = [[7, 9]] * 3 if even else [[3, 9, 4], [6, 5], [2, 8, 1]]
    members = [member(k, lengths, held, even) for k, lengths in zip(STIFFNESS, every, strict=True)]
    return Source("driven", ("q", "p"), members, members, 1, None, ("u",), ("k",), held)


class Driven(Dynamics):
    """The law, or one that looks away from the input."""

    sites = []  # type: ignore[assignment]

    def __init__(self, blind: bool):
        torch.nn.Module.__init__(self)
        self.blind = blind
        for name, value in {"state_mean": 0.0, "state_std": 1.0, "derivative_std": 1.0}.items():
            self.register_buffer(name, torch.full((2,), value, dtype=torch.float64))

    def make_nets(self, net, state_dim):
        return {}

    def vector_field(self, x: Tensor, updates, inputs=None) -> Tensor:
        (q, p), u = x.unbind(-1), 0.0 if self.blind else inputs[..., 0]
        return torch.stack([p, u - updates["code"] * q], -1)


class Direct(torch.nn.Module):
    sizes = (1,)

    def forward(self, codes: Tensor) -> dict[str, Tensor]:
        return {"code": codes}


class Model(torch.nn.Module):
    def __init__(self, blind: bool):
        super().__init__()
        self.dynamics, self.modulation = Driven(blind), Direct()

    def vector_field(self, x: Tensor, codes: Tensor, inputs=None) -> Tensor:
        return self.dynamics.vector_field(x, self.modulation(codes), inputs)


class Told:
    """An adaptation that was told the codes; its loss is that of the objective there."""

    def fit(self, model, objective, observations, start, prior=None) -> Fit:
        codes = torch.tensor(STIFFNESS, dtype=torch.float64)[:, None]
        loss = objective.loss(model, observations, codes)
        return Fit(codes, loss[None], 1e-8 * torch.ones(3, 1, 1, dtype=torch.float64))


def measured(data: Source, blind: bool = False) -> dict[str, np.ndarray]:
    codes = torch.tensor(STIFFNESS, dtype=torch.float64)[:, None]
    prior = Prior.of(codes, torch.full((2,), 1e-8, dtype=torch.float64))
    pieces = {group: Piece.as_described(group, name) for group, name in PIECES.items()}
    protocol = Protocol(5, 0, 12, 1.0, build_metrics(in_order("metric")), pieces)
    learned = Learned(Model(blind), Derivatives(), 0 * codes, prior)
    result = evaluate(learned, protocol, Told(), RK4(0.01), data)
    assert {name for name, _ in result.values} == MEASURED
    return {name: values for (name, part), values in result.values.items() if not part}


@pytest.mark.few(1)
@pytest.mark.parametrize("even", [True, False], ids=["even", "ragged"])
@pytest.mark.parametrize("held", [True, False], ids=["held", "lines"])
def test_an_exact_member_is_exact_and_one_that_looks_away_from_its_input_is_not(held, even):
    exact, blind = (measured(source(held, even), blind) for blind in (False, True))
    for name in ("trajectory_error", "observed_field_error", "integrator_error"):
        assert (exact[name] < 1e-8).all(), name
    assert (exact["support_loss"] < 1e-20).all()
    assert (exact["observed_coverage_95"] == 1).all()
    for name in ("trajectory_error", "observed_field_error", "support_loss"):
        assert (blind[name] > 0.05).all(), name
    assert (blind["observed_coverage_95"] <= 0.5).all()


def test_inputs_that_are_held_are_not_joined_by_lines():
    data = source(held=True)
    data.held_inputs = False
    assert (measured(data)["trajectory_error"] > 0.01).any()
    assert source(held=True).held_out(1).held_inputs


def test_an_objective_must_read_the_inputs_and_have_the_parts_that_it_needs():
    class Blind(Derivatives):
        reads = ("states", "derivatives")

    Derivatives().check(source().parts)
    with pytest.raises(ValueError, match="driven by inputs, which objective=blind does not read; use another"):
        Blind().check(source().parts)
    with pytest.raises(ValueError, match="needs derivatives, which the data do not have; they have states, times"):
        Derivatives().check(("states", "times"))
