"""What every metric of conf/metric promises; a new yaml is tested without an edit.

The members are damped oscillators whose law is written here a second time, in torch, with the parameters as the code:
an exact member is one with the true code. The same members with a wrong law are the negative control.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from metastruct.adaptation.adaptation import Fit, Prior
from metastruct.config.facts import MetricFacts, described, facts_of, headline_errors, in_order, metric_facts, options
from metastruct.config.needs import Piece
from metastruct.config.schema import ConfigError
from metastruct.data.simulate import Simulation, simulate
from metastruct.data.source import Source
from metastruct.dynamics.dynamics import Dynamics
from metastruct.evaluation.adapted import Adapted
from metastruct.evaluation.fitted import Learned, Protocol
from metastruct.evaluation.protocol import Measurements, MetricRefused, evaluate
from metastruct.integrators.rk4 import RK4
from metastruct.objectives.derivatives import Derivatives
from metastruct.running.assembly import component
from metastruct.running.protocol import build_metrics
from metastruct.running.validation import validate

KEPT = {"momentum", "angular_momentum", "grid"}  # that no damped oscillator has; tests/unit/test_momentum_drift.py
NAMES = [name for name in options("metric") if KEPT.isdisjoint(metric_facts(name).needs.get("system", {}))]
TASKS = 3
OBSERVED = {name for name in NAMES if "data" in metric_facts(name).needs}  # what stands in where there is no law
ROUND_OFF = 1e-6  # of an exact member: its rollouts are those of a step of 0.01, the true ones of a tolerance


class Oscillators(Dynamics):
    """The law of `damped_oscillator`, or one that breaks energy, entropy and both degeneracies."""

    sites = []  # type: ignore[assignment]

    def __init__(self, broken: bool):
        torch.nn.Module.__init__(self)
        self.broken = broken
        for name, value in {"state_mean": 0.0, "state_std": 1.0, "derivative_std": 1.0}.items():
            self.register_buffer(name, torch.full((3,), value, dtype=torch.float64))

    def make_nets(self, net, state_dim):
        return {}

    def vector_field(self, x: Tensor, updates, inputs=None) -> Tensor:
        (k, gamma), (q, p, _) = (c[..., None] for c in updates["code"].unbind(-1)), x.unbind(-1)
        heat = gamma * p**2
        if self.broken:
            k, heat = 0.6 * k, -heat - 0.1
        return torch.stack([p, -k * q.sin() - gamma * p, heat], dim=-1)

    def energy(self, x: Tensor, updates) -> Tensor:
        return x[..., 1] ** 2 / 2 - updates["code"][:, :1] * x[..., 0].cos() + x[..., 2]

    def entropy(self, x: Tensor, updates) -> Tensor:
        return x[..., 2]

    def degeneracies(self, x: Tensor, updates) -> dict[str, Tensor]:
        residual = updates["code"][:, :1] * (0 * x[..., 0] + (1e-2 if self.broken else 0.0))
        return {"poisson": residual, "friction": residual}


class Direct(torch.nn.Module):
    """The code is the update."""

    sizes = (2,)

    def forward(self, codes: Tensor) -> dict[str, Tensor]:
        return {"code": codes}


class Model(torch.nn.Module):
    def __init__(self, broken: bool):
        super().__init__()
        self.dynamics, self.modulation = Oscillators(broken), Direct()

    def vector_field(self, x: Tensor, codes: Tensor, inputs=None) -> Tensor:
        return self.dynamics.vector_field(x, self.modulation(codes))


@dataclass(frozen=True)
class Known:
    """An adaptation that was told the codes."""

    codes: Tensor
    loss: float

    def fit(self, model, *observed_and_start) -> Fit:
        tasks, size = self.codes.shape
        trace = self.loss * torch.ones(2, tasks, dtype=torch.float64) * self.codes[:, 0]
        return Fit(self.codes, trace, 1e-8 * torch.eye(size, dtype=torch.float64).expand(tasks, -1, -1))


@dataclass(frozen=True)
class Scene:
    """Adapted members, exact or broken, of these tasks."""

    data: Simulation
    system: object
    step: float = 0.01
    codes: Tensor | None = None
    metrics: dict = field(default_factory=lambda: build_metrics(NAMES))
    pieces: dict = field(default_factory=lambda: pieces())

    def adapted(self, broken: bool = False) -> Adapted:
        codes = torch.from_numpy(self.data.parameters) if self.codes is None else self.codes
        prior = Prior.of(codes, torch.full((3,), 1e-8, dtype=torch.float64))
        protocol = Protocol(5, seed=0, side=12, box_scale=1.0, metrics=self.metrics, pieces=self.pieces)
        adaptation = Known(codes, 0.3 if broken else 0.0)
        integrator = RK4(0.5 if broken else self.step)
        members = self.data.members
        names = {"parameter_names": self.system.parameter_names}
        source = Source(self.system.name, self.system.state_names, members, members, 1, self.system, **names)
        learned = Learned(Model(broken), Derivatives(), 0 * codes, prior)
        return Adapted(learned, protocol, adaptation, integrator, source)

    def of(self, order: list[int]) -> Scene:
        """The tasks in another order."""
        data = self.data
        data = Simulation(data.times, data.states[order], data.derivatives[order], data.parameters[order])
        return replace(self, data=data, codes=None if self.codes is None else self.codes[order])


def pieces(**others: str) -> dict[str, Piece]:
    """What metrics may need, where they need no others."""
    names = {"dynamics": "generic", "adaptation": "levenberg_marquardt", "data": "simulated"} | others
    return {group: Piece.as_described(group, name) for group, name in names.items()}


@pytest.fixture(scope="module")
def scene(composed) -> Scene:
    system = component(composed("system=damped_oscillator").system)
    return Scene(simulate(system, 1, TASKS, trajectories=3, horizon=3.0, points=7, tolerance=1e-10, seed=0), system)


@pytest.fixture(scope="module")
def exact(scene) -> Adapted:
    return scene.adapted()


@pytest.fixture(scope="module")
def broken(scene) -> Adapted:
    return scene.adapted(broken=True)


def off(known: MetricFacts, values: np.ndarray) -> list[float]:
    """How far each task is from what an exact member has."""
    return [known.distance(value) if math.isfinite(value) else math.inf for value in values]


@pytest.mark.parametrize("name", NAMES)
def test_a_yaml_says_every_fact(name):
    known = metric_facts(name)
    assert known.label
    assert known.short
    assert known.headline in ("always", "measured", "never")
    assert known.scale > 0
    assert known.text(0.5)
    assert known.bounds[0] <= known.bounds[1]


def test_metrics_have_an_order_of_their_own():
    assert {*NAMES} < {*in_order("metric")}
    assert len({metric_facts(name).order for name in options("metric")}) == len(options("metric"))


@pytest.mark.parametrize("lacking", ["label", "digits", "kept"])
def test_a_yaml_without_a_fact_is_refused_by_its_name(monkeypatch, lacking):
    content = described("metric", "ssim")
    less = {key: value for key, value in content["facts"].items() if key != lacking}
    monkeypatch.setattr("metastruct.config.facts.described", lambda group, name: content | {"facts": less})
    with pytest.raises(ValueError, match=rf"conf/metric/ssim\.yaml must have the facts {lacking}; those beside it"):
        facts_of.__wrapped__("metric", "ssim")


def test_a_fact_of_metrics_means_nothing_in_another_group(monkeypatch):
    monkeypatch.setattr("metastruct.config.facts.described", lambda group, name: {"facts": {"digits": 2}})
    with pytest.raises(ValueError, match=r"conf/net/mlp\.yaml has the fact digits, which is not known"):
        facts_of.__wrapped__("net", "mlp")


@pytest.mark.parametrize("name", NAMES)
def test_a_metric_has_one_value_a_task(scene, exact, name):
    values = scene.metrics[name].measure(exact)
    assert "" in values
    assert set(values) - {""} <= set(exact.system.state_names)
    assert {array.shape for array in values.values()} == {(TASKS,)}


@pytest.mark.parametrize("name", NAMES)
def test_an_exact_member_has_the_perfect_value_and_a_broken_one_has_not(scene, exact, broken, name):
    assert max(off(metric_facts(name), scene.metrics[name].measure(exact)[""])) <= ROUND_OFF
    assert min(off(metric_facts(name), scene.metrics[name].measure(broken)[""])) > 100 * ROUND_OFF


@pytest.mark.few(7)
@pytest.mark.parametrize("name", NAMES)
def test_tasks_in_another_order_have_their_values_in_that_order(scene, name):
    codes, order = torch.from_numpy(scene.data.parameters).clone(), [2, 0, 1]
    codes[1:] *= torch.tensor([[1.2], [math.nan]])
    mixed = replace(scene, codes=codes)
    values, shuffled = (scene.metrics[name].measure(each.adapted()) for each in (mixed, mixed.of(order)))
    assert len(set(off(metric_facts(name), values[""]))) > 1  # else any order would do
    assert set(shuffled) == set(values)
    for part, array in values.items():
        np.testing.assert_allclose(shuffled[part], array[order], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_a_task_that_is_not_finite_is_its_own_problem(scene, broken, name):
    codes = torch.from_numpy(scene.data.parameters).clone()
    codes[1] = math.nan
    values = scene.metrics[name].measure(broken)
    lost = scene.metrics[name].measure(replace(scene, codes=codes).adapted(broken=True))
    for part, array in values.items():
        np.testing.assert_array_equal(lost[part][[0, 2]], array[[0, 2]])
    assert off(metric_facts(name), lost[""])[1] > 100 * ROUND_OFF


# Which metrics an evaluation holds


def without_law(source: Source) -> Source:
    names = {"parameter_names": source.parameter_names}
    return Source(source.name, source.state_names, source.train, source.test, 1, **names)


def evaluated(scene: Scene, *names: str, prior: bool = True, by_name: bool = False) -> Measurements:
    adapted = scene.adapted()
    learned = adapted.learned if prior else replace(adapted.learned, prior=None)
    protocol = replace(adapted.protocol, metrics=build_metrics(names), by_name=by_name)
    return evaluate(learned, protocol, adapted.adaptation, adapted.integrator, adapted.source)


def test_an_evaluation_holds_what_is_asked_for_in_that_order_and_nothing_else(scene):
    lawful = [name for name in in_order("metric") if name in {*NAMES} - OBSERVED]
    assert list(dict.fromkeys(name for name, _ in evaluated(scene, *in_order("metric")).values)) == lawful
    result = evaluated(scene, "ssim", "field_error")
    assert list(dict.fromkeys(name for name, _ in result.values)) == ["ssim", "field_error"]
    assert set(result.seconds) == {"adaptation", "rollouts", "metrics"}


def test_what_is_not_asked_for_costs_nothing(scene):
    result = evaluated(scene, "support_loss")
    assert set(vars(result.adapted)) & {"rollouts", "finer_rollouts", "learned_field", "grid"} == set()
    assert result.diverged is None
    assert result.seconds["rollouts"] == 0
    assert "rollouts" in vars(evaluated(scene, "trajectory_error").adapted)


def test_a_metric_that_has_not_what_it_needs_is_left_out_and_refused_by_name(scene):
    assert not evaluated(scene, "coverage_95", prior=False).values
    with pytest.raises(MetricRefused, match=r"holds coverage_95, which needs an adaptation with a posterior.*leave it"):
        evaluated(scene, "coverage_95", prior=False, by_name=True)


def test_needs_of_the_learned_side_are_those_that_the_dynamics_provides(scene):
    hamiltonian = replace(scene, pieces=pieces(dynamics="hamiltonian"))
    left = {name for name, _ in evaluated(hamiltonian, *in_order("metric")).values}
    assert set(NAMES) - OBSERVED - left == {"entropy_production", "poisson_degeneracy", "friction_degeneracy"}


def test_error_bars_are_measured_where_the_adaptation_provides_a_posterior(scene):
    stepwise = replace(scene, pieces=pieces(adaptation="gradient"))
    left = {name for name, _ in evaluated(stepwise, *in_order("metric")).values}
    assert set(NAMES) - OBSERVED - left == {"coverage_95", "coverage_95_grid"}


def test_a_law_that_nobody_knows_provides_nothing(scene):
    lawless = {name for name in NAMES if "system" not in metric_facts(name).needs}
    adapted = scene.adapted()
    adapted = replace(adapted, source=without_law(adapted.source))
    result = evaluate(adapted.learned, adapted.protocol, adapted.adaptation, adapted.integrator, adapted.source)
    assert {name for name, _ in result.values} == lawless
    assert lawless < set(NAMES)


def test_the_usual_errors_are_metrics_that_tables_keep():
    assert all(metric_facts(name).kept for name in headline_errors())
    assert 0 < len(headline_errors()) < len(NAMES)


@pytest.mark.few(3)
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("evaluation.metrics=[ssm]", "evaluation.metrics: metric=ssm is not known; did you mean ssim"),
        ("evaluation.metrics=[]", r"evaluation.metrics must name each metric once, got \[\]; null stands for all"),
        ("evaluation.metrics=[ssim,ssim]", "evaluation.metrics must name each metric once"),
        ("evaluation.metrics=[true_entropy_production]", "needs a system with an entropy, got system=pendulum"),
        ("evaluation.metrics=[coverage_95] adaptation=gradient", "an adaptation with a posterior, got adaptation=grad"),
        (
            "evaluation.metrics=[energy_drift] dynamics=unstructured",
            "a dynamics that keeps an energy, got dynamics=un",
        ),
        (
            "evaluation.metrics=[poisson_degeneracy]",
            "a dynamics with degeneracy conditions, got dynamics=ham",
        ),
    ],
)
def test_a_name_that_means_nothing_here_is_refused_in_one_line_before_anything_runs(composed, words, message):
    with pytest.raises(ConfigError, match=message) as refused:
        validate(composed(*words.split()))
    assert "\n" not in str(refused.value)


def test_names_that_mean_something_are_taken(composed):
    validate(composed("evaluation.metrics=[ssim,energy_drift]"))
    validate(composed("evaluation.metrics=[entropy_production]", "system=damped_oscillator"))
