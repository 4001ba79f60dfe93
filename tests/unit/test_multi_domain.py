from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from omegaconf import OmegaConf

import metastruct
from metastruct.config.schema import ConfigError
from metastruct.data.simulate import simulate
from metastruct.running.assembly import build_source, build_system, component
from metastruct.running.experiment import run
from metastruct.running.keys import training_key
from metastruct.running.validation import validate
from metastruct.systems.multi_domain import MultiDomain
from metastruct.systems.pendulum import Pendulum
from metastruct.systems.system import System

DOMAINS = ["duffing", "mass_spring", "pendulum"]
TASKS = {"trajectories": 2, "horizon": 2.0, "points": 5, "tolerance": 1e-10, "seed": 0}


def as_dict(cfg):
    return OmegaConf.to_container(cfg, resolve=True)


@pytest.fixture(scope="module")
def union(composed) -> MultiDomain:
    return component(composed("system=multi_domain").system)


@pytest.fixture(scope="module")
def simulation(union):
    return simulate(union, 0, tasks=6, **TASKS)


def test_task_k_belongs_to_domain_k_modulo_their_number(union, simulation):
    assert union.domain_names(simulation.parameters) == 2 * DOMAINS


@pytest.mark.parametrize("law", ["vector_field", "energy"])
def test_each_task_obeys_the_law_of_its_own_domain(composed, union, simulation, law):
    x = simulation.states.reshape(6, -1, 2)
    together = getattr(union, law)(x, simulation.parameters)
    for task, name in enumerate(2 * DOMAINS):
        alone = component(composed(f"system={name}").system)
        own = simulation.parameters[task : task + 1, 1 : 1 + len(alone.parameter_names)]
        np.testing.assert_array_equal(together[task], getattr(alone, law)(x[task : task + 1], own)[0])


def test_tasks_may_stand_in_any_order(union, simulation):
    order = np.random.default_rng(0).permutation(6)
    x = simulation.states.reshape(6, -1, 2)
    whole = union.vector_field(x, simulation.parameters)
    np.testing.assert_array_equal(union.vector_field(x[order], simulation.parameters[order]), whole[order])


def test_every_domain_has_as_many_tasks_as_a_family_alone(composed, tmp_path):
    words = ("data.train_tasks=2", "data.test_tasks=1", "data.points=5", f"outputs={tmp_path}")
    source = build_source(composed("system=multi_domain", *words), print)
    assert source.domains("train") == 2 * DOMAINS
    assert source.domains("test") == DOMAINS


@pytest.mark.few(6)
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["system.domains=[pendulum]"], "two or more different domains"),
        (["system.domains=[pendulum,pendulum]"], "two or more different domains"),
        (["system.domains=[pendulum,damped_oscillator]"], "equal state_dim, got pendulum with 2 and damped_osc"),
        (["system.domains=[pendulum,pendulm]"], "'pendulm', which is not known; did you mean pendulum"),
        (["system.domains=[pendulum,van_der_pol]"], "equal structure, got pendulum with conservative and van_der_pol"),
        (["start=in_box", "start.box=[[-1,1]]"], "start.box must hold .* q, p of .*, got 1"),
        (
            ["system.domains=[pendulum,lotka_volterra]", "start=under_cap"],
            "needs a system with .* cap of it, got system=multi_domain",
        ),
        (["dynamics=generic"], "needs a metriplectic system, got system=multi_domain"),
        (["system.domains=[pendulum,multi_domain]"], "multi_domain, which is several families"),
        (["system.domains=[damped_oscillator,{damped_chain:{oscillators:1}}]"], "metriplectic.*; use dynamics=generic"),
        (["system.domains=pendulum"], r"must be a list such as .*, got 'pendulum'"),
        (["system.domains=[pendulum,3]"], "holds names and .*, got 3"),
        (["system.domains=[pendulum,{duffing:3}]"], "holds names and .*, got .*duffing"),
        (["system.domains=[pendulum,{duffing:{parameters:{alpa:[0,1]}}}]"], "duffing has no .*did you mean .*alpha"),
        (["system.domains=[pendulum,{duffing:{parameters:{alpha:[1,0]}}}]"], "system.domains: .*low <= high"),
    ],
)
def test_domains_that_do_not_go_together_are_refused_in_one_line(composed, words, message):
    with pytest.raises(ConfigError, match=message) as refused:
        validate(composed("system=multi_domain", *words))
    assert "\n" not in str(refused.value)


def test_other_domains_can_be_named(composed):
    cfg = composed("system=multi_domain", "system.domains=[morse,pendulum]")
    validate(cfg)
    assert [domain.name for domain in component(cfg.system).domains] == ["morse", "pendulum"]


def test_some_settings_of_a_domain_can_be_changed(composed):
    cfg = composed("system=multi_domain", "system.domains=[{pendulum:{parameters:{m:[3,4]}}},duffing]")
    validate(cfg)
    pendulum, duffing = component(cfg.system).domains
    assert pendulum.ranges.tolist() == [[3, 4], [0.75, 1.25], [-0.5, 0.5]]
    assert duffing.ranges.tolist() == component(composed("system=duffing").system).ranges.tolist()
    assert training_key(as_dict(cfg)) != training_key(as_dict(composed("system=multi_domain")))


@pytest.mark.few(1)
@pytest.mark.parametrize("start", [(), ("start=in_box",), ("start=under_cap",)], ids=["own", "in_box", "under_cap"])
def test_each_task_starts_and_is_measured_as_in_its_own_domain(composed, start):
    words = ("system.domains=[duffing,{pendulum:{parameters:{m:[1,2]}}}]", *start)
    union, mu = build_system(composed("system=multi_domain", *words)), np.array([[1, 1.5, 1, 0.2], [0, -0.5, 1, 0]])
    alone = [build_system(composed(f"system={name}", *start)) for name in ("pendulum", "duffing")]
    for task, (domain, own) in enumerate(zip(alone, (mu[0, 1:], mu[1, 1:3]), strict=True)):
        for box in ("box", "grid_box"):
            np.testing.assert_array_equal(getattr(union, box)(mu)[task], getattr(domain, box)(own[None])[0])
        drawn = (
            system.sample_starts(np.random.default_rng(0), each, 5)
            for system, each in ((union, mu[task]), (domain, own))
        )
        np.testing.assert_array_equal(*drawn)


def test_domains_of_unequal_capabilities_are_refused():
    class Silent(Pendulum):
        name = "silent"
        energy = System.energy

    ranges = {"m": [0.5, 1.5], "l": [0.75, 1.25], "q0": [-0.5, 0.5]}
    with pytest.raises(ValueError, match="equal energy, got pendulum with True and silent with False"):
        MultiDomain(["pendulum", "silent"], {"pendulum": Pendulum(ranges), "silent": Silent(ranges)})


def test_the_configuration_resolves_in_place_as_hydra_prints_it(composed):
    cfg = composed("system=multi_domain")
    OmegaConf.resolve(cfg)
    assert list(cfg.system.members) == DOMAINS
    assert cfg.modulation.code_dim == 6


def test_dissipative_families_of_equal_dimension_go_together(composed):
    words = ("system.domains=[damped_oscillator,{damped_chain:{oscillators:1}}]", "dynamics=generic")
    cfg = composed("system=multi_domain", *words)
    validate(cfg)
    union = component(cfg.system)
    mu = np.stack([union.sample_parameters(np.random.default_rng(0), task) for task in range(4)])
    x = np.random.default_rng(1).standard_normal((4, 5, 3))
    for law in ("entropy", "poisson", "friction", "vector_field"):
        for task, domain in enumerate(2 * union.domains):
            own = mu[task : task + 1, 1 : 1 + len(domain.parameter_names)]
            alone = getattr(domain, law)(x[task : task + 1], own)[0]
            np.testing.assert_array_equal(getattr(union, law)(x, mu)[task], alone)


def test_a_code_is_larger_by_default_for_several_families(composed):
    for modulation in ("svd", "camel", "geps"):
        alone, together = (composed(f"system={s}", f"modulation={modulation}") for s in ("pendulum", "multi_domain"))
        assert (alone.modulation.code_dim, together.modulation.code_dim) == (3, 6)
    assert composed("system=multi_domain", "modulation.code_dim=4").modulation.code_dim == 4


def test_members_are_described_by_their_domain_and_its_own_parameters(union):
    mu = np.array([[0, -0.5, 1.0, 0.0], [2, 1.0, 0.75, 0.25]])
    assert union.described(mu) == ["duffing: alpha = -0.50, beta = 1.00", "pendulum: m = 1.00, l = 0.75, q0 = 0.25"]


@pytest.mark.torture
def test_a_run_reports_every_domain_and_all_together(composed, tmp_path, capsys):
    words = ("data.train_tasks=2", "data.test_tasks=2", "data.points=20", "shots=10")
    quick = ("trainer.steps=2", "evaluation.steps=2", "evaluation.grid=11", "logger=none", f"outputs={tmp_path}")
    folder = run(composed("system=multi_domain", *words, *quick))
    metrics = json.loads(folder.metrics.read_text())
    assert list(metrics["domains"]) == DOMAINS
    each = [own["field_error"]["per_task"] for own in metrics["domains"].values()]
    together = metrics["field_error"]["per_task"]
    assert [together[task::3] for task in range(3)] == each
    with open(folder.records, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "field_error" and not row["component"]]
    assert [row["domain"] for row in rows] == 2 * DOMAINS
    assert {row["system"] for row in rows} == {"multi_domain"}
    told = capsys.readouterr().out
    assert all(told.count(f"  {domain} ") == 2 for domain in DOMAINS)
    assert (folder.figures / "codes.png").exists()
    with np.load(folder.evaluation) as arrays:
        assert arrays["train_domains"].tolist() == 2 * DOMAINS
        assert [words.split(":")[0] for words in arrays["test_members"]] == 2 * DOMAINS
    member = metastruct.load(folder.path).adapt([[0.1, 0.2], [0.3, -0.4]], [[0.2, -0.1], [-0.4, -0.3]])
    assert member.code.shape == (6,)
