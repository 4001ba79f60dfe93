"""A run on a dissipative system: what it measures, what it draws, and what a notebook can ask of it."""

from __future__ import annotations

import json

import numpy as np
import pytest

import metastruct
from metastruct.running.assembly import component
from metastruct.running.experiment import run


@pytest.fixture(scope="module")
def finished(tiny, tmp_path_factory, any_bracket):
    """A finished run of damped oscillators with figures, and its configuration."""
    outputs = tmp_path_factory.mktemp("dissipative") / "outputs"
    cfg = tiny(outputs, "system=damped_oscillator", f"bracket={any_bracket}", "evaluation.figures=true")
    return run(cfg), cfg


@pytest.fixture(scope="module")
def member(finished) -> metastruct.Member:
    folder, cfg = finished
    system = component(cfg.system)
    mu = np.array([[1.0, 0.2]])
    states = system.sample_starts(np.random.default_rng(0), mu[0], 20)
    return metastruct.load(folder.path).adapt(states, system.vector_field(states[None], mu)[0])


@pytest.mark.few(1)
def test_both_laws_are_measured_and_hold(finished, any_bracket):
    metrics = json.loads(finished[0].metrics.read_text())
    assert metrics["dynamics"] == f"generic({any_bracket})"
    assert metrics["energy_drift"]["mean"] < 1e-5
    for name in ("poisson_degeneracy", "friction_degeneracy"):
        assert 0 < metrics[name]["mean"] < 1e-12
    assert min(metrics["entropy_production"]["per_task"]) > -1e-6
    assert metrics["true_entropy_production"]["per_task"] is not None
    assert {"poisson_degeneracy", "entropy_production"} <= set(
        finished[0].records.read_text().replace("\n", ",").split(",")
    )


def test_errors_are_told_for_each_component(finished):
    rows = [row.split(",") for row in finished[0].records.read_text().splitlines()]
    components = {row[-3] for row in rows if row[-2] == "trajectory_error"}
    assert components == {"", "q", "p", "S"}


def test_raw_energy_and_entropy_are_not_scored(finished):
    metrics = json.loads(finished[0].metrics.read_text())
    assert not {"energy", "entropy", "energy_error", "entropy_error"} & set(metrics)


def test_the_entropy_is_drawn(finished):
    assert (finished[0].figures / "entropy.png").read_bytes().startswith(b"\x89PNG")


def test_a_notebook_can_check_the_laws(member):
    path = member.rollout(np.array([[1.0, 0.5, 0.0], [0.2, -0.8, 0.0]]), np.linspace(0, 2, 41))
    energy, entropy = member.energy(path), member.entropy(path)
    assert energy.shape == entropy.shape == (2, 41)
    assert np.abs(energy - energy[:, :1]).max() < 1e-6 * np.ptp(energy[:, 0])
    assert np.diff(entropy, axis=-1).min() > -1e-8 * np.ptp(entropy)
    assert np.ptp(entropy, axis=-1).min() > 0


def test_entropy_of_a_state_of_the_wrong_size_is_refused(member):
    with pytest.raises(ValueError, match=r"\[\.\.\., 3\]"):
        member.entropy([1.0, 2.0])


def test_a_member_without_an_entropy_says_so_in_one_line(first_run):
    model = metastruct.load(first_run[0].path)
    member = model.adapt([[0.1, 0.2]], [[0.2, -0.6]])
    with pytest.raises(TypeError, match="dynamics=hamiltonian has no entropy; use dynamics=generic"):
        member.entropy([0.1, 0.2])
