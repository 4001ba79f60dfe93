from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from metastruct.assembly import component
from metastruct.config import ConfigError
from metastruct.data.datamodule import FamilyData
from metastruct.data.simulate import simulate
from metastruct.experiment import run
from metastruct.systems.multi_domain import MultiDomain
from metastruct.validation import validate

DOMAINS = ["duffing", "mass_spring", "pendulum"]
TASKS = {"trajectories": 2, "horizon": 2.0, "points": 5, "tolerance": 1e-10, "seed": 0}


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
    cfg = composed("system=multi_domain", "data.train_tasks=2", "data.test_tasks=1", "data.points=5")
    data = FamilyData(component(cfg.system), tmp_path, dict(cfg.data), print)
    assert data.system.domain_names(data.train.parameters) == 2 * DOMAINS
    assert data.system.domain_names(data.test.parameters) == DOMAINS


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["system.domains=[pendulum]"], "two or more different domains"),
        (["system.domains=[pendulum,pendulum]"], "two or more different domains"),
        (["system.domains=[pendulum,damped_oscillator]"], "equal state_dim, got pendulum with 2 and damped_osc"),
        (["system.domains=[pendulum,pendulm]"], "'pendulm', which is not known; did you mean pendulum"),
        (["dynamics=generic"], "needs a metriplectic system, got 'multi_domain'"),
        (["learner.task_batch=211"], "task_batch must be at most"),
    ],
)
def test_domains_that_do_not_go_together_are_refused_in_one_line(composed, words, message):
    with pytest.raises(ConfigError, match=message):
        validate(composed("system=multi_domain", *words))


def test_other_domains_can_be_named(composed):
    cfg = composed("system=multi_domain", "system.domains=[morse,pendulum]")
    validate(cfg)
    assert [domain.name for domain in component(cfg.system).domains] == ["morse", "pendulum"]


def test_a_run_reports_every_domain_and_all_together(composed, tmp_path):
    words = ("data.train_tasks=2", "data.test_tasks=2", "data.points=20", "learner.task_batch=6", "shots=10")
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
