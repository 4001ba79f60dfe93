"""What every source of conf/data promises; a new yaml is tested without an edit."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from omegaconf import DictConfig

from metastruct.config.facts import described
from metastruct.config.schema import groups
from metastruct.data.shots import Request
from metastruct.data.source import Source
from metastruct.running.assembly import build_source, build_system, outline_of

SMALL = ("train_tasks=3", "test_tasks=2", "trajectories=4", "support_trajectories=2", "points=9", "horizon=1.0")
READS = ("states", "derivatives", "inputs", "times")


@pytest.fixture(scope="module", params=groups()["data"])
def settings(request, composed, accepted, tmp_path_factory) -> DictConfig:
    words = accepted("data", request.param)
    known = composed(*words).data
    few = [f"data.{word}" for word in SMALL if word.partition("=")[0] in known]
    return composed(*words, *few, f"outputs={tmp_path_factory.mktemp('data')}")


@pytest.fixture(scope="module")
def source(settings) -> Source:
    return build_source(settings, lambda text: None)


def test_members_have_the_components_that_are_named(source):
    assert source.train
    assert source.test
    for member in (*source.train, *source.test):
        for trajectory in member.trajectories:
            assert trajectory.states.shape == (len(trajectory), len(source.state_names))
            assert np.isfinite(trajectory.states).all()
            assert (0 if trajectory.inputs is None else trajectory.inputs.shape[-1]) == len(source.input_names)


def test_recordings_hold_every_observation_of_the_training_members(source):
    recordings = source.recordings()
    assert len(recordings) == len(source.train)
    assert recordings.lengths == [[len(one) for one in member.trajectories] for member in source.train]
    assert all(part.dtype == torch.float32 and part.isfinite().all() for part in recordings.parts.values())


def test_support_is_in_double_precision_nested_and_of_each_task_its_own(source):
    few, many = (source.support(shots, 0, Request(READS)) for shots in (2, 4))
    assert few.states.shape == (len(source.test), 2, len(source.state_names))
    assert few.states.dtype == torch.float64
    assert torch.equal(few.states, many.states[:, :2])
    for task, member in enumerate(source.test):
        own = np.concatenate([one.states for one in member.trajectories[: source.support_trajectories]])
        assert {tuple(row) for row in many.states[task].tolist()} <= {tuple(row) for row in own.tolist()}


def test_support_and_query_are_of_different_trajectories(source):
    query = source.query()
    times, states = query.times, query.states
    assert states.shape[0] == len(source.test)
    assert states.shape[-1] == len(source.state_names)
    assert times.shape in (states.shape[2:3], states.shape[:3])
    observed = source.support(10**6, 0, Request(READS)).states
    seen = {tuple(row) for row in observed.reshape(-1, states.shape[-1]).tolist()}
    asked = {tuple(row) for row in states.reshape(-1, states.shape[-1]).tolist()}
    assert not seen & asked


def test_what_is_known_of_members_has_one_entry_each(source):
    for split in ("train", "test"):
        count = len(getattr(source, split))
        assert source.parameters(split).shape == (count, len(source.parameter_names))
        assert len(source.domains(split)) == len(source.described(split)) == count
    assert all(0 <= axis < len(source.state_names) for axis in source.plane)


def test_a_law_gives_the_derivatives_that_are_told(source):
    if source.law is None:
        pytest.skip("nobody knows the law")
    mu = source.parameters("train")
    for task, member in enumerate(source.train):
        for one in member.trajectories:
            field = source.law.vector_field(one.states[None], mu[task : task + 1])[0]
            np.testing.assert_allclose(one.derivatives, field, rtol=1e-12, atol=1e-12)


def test_held_out_training_members_take_the_place_of_the_test_members(source):
    held = source.held_out(1)
    assert held.train == source.train[:-1]
    assert held.test == source.train[-1:]
    assert (held.law, held.state_names, held.input_names) == (source.law, source.state_names, source.input_names)


def test_the_outline_of_a_source_says_what_it_holds(source, settings):
    outline = outline_of(settings, build_system(settings))
    assert (outline.states, outline.inputs) == (len(source.state_names), len(source.input_names))
    assert outline.derivatives in (None, "derivatives" in source.parts)
    members, support = (*source.train, *source.test), slice(source.support_trajectories)
    counts = {
        "tasks": len(members),
        "numbers": sum(one.states.size for member in members for one in member.trajectories),
        "support": max(sum(map(len, member.trajectories[support])) for member in source.test),
        "longest": min(max(map(len, member.trajectories)) for member in members),
    }
    for name, count in counts.items():
        assert getattr(outline, name) in (None, count), name


def test_validation_asks_sources_without_what_is_heavy():
    targets = [described("data", name)["_target_"].rpartition(".")[0] for name in groups()["data"]]
    heavy = {"torch", "lightning", "matplotlib", "scipy.integrate"}
    check = f"import sys, {', '.join(targets)}; print(*({heavy} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert said.stdout.split() == []


def test_windows_that_no_trajectory_of_a_member_holds_are_refused(source):
    longest = min(max(map(len, member.trajectories)) for member in source.train)
    source.check_windows(1)
    with pytest.raises(ValueError, match=f"windows of {longest + 1} samples, and the longest trajectory of train"):
        source.check_windows(longest + 1)
