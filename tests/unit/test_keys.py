from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from omegaconf import OmegaConf

from metastruct.facts import CONF
from metastruct.runs.keys import evaluation_key, training_key

Tree = Mapping[str, Any]

IN_NEITHER = [
    *("logger=none", "logger.project=other", "logger.mode=disabled", "trainer.accelerator=cpu", "trainer.threads=2"),
    *("trainer.checkpoint_seconds=60", "force=true", "outputs=elsewhere", "evaluation.figures=false", "tag=other"),
    "replicas=8",
    "rank=5",  # the default of svd
]
IN_THE_EVALUATION_ONLY = [
    *(
        "evaluation.metrics=[ssim]",
        "shots=50",
        "evaluation.steps=10",
        "evaluation.start=zero",
        "evaluation.grid=20",
        "evaluation.box_scale=1.5",
    ),
    *("adaptation.tolerance=0.01", "integrator.step_size=0.01", "data.test_tasks=3", "data.support_trajectories=2"),
]
IN_BOTH = [
    *("seed=1", "rank=3", "system=duffing", "system.parameters.m=[1,2]", "modulation=shift", "modulation.code_dim=4"),
    *("net=separable", "net.width=32", "dynamics=unstructured", "learner.schedule=alternating", "locality=weak"),
    *("learner.point_batch=8", "locality.lambda_z=0.5", "optimizer.base_rate=0.1", "trainer.steps=10", "data.seed=1"),
    *("data.train_tasks=71", "data.trajectories=11", "data.horizon=5", "data.points=100", "data.tolerance=1e-9"),
    *("start=in_box", "start=under_cap"),
]


@pytest.fixture(scope="module")
def settings(composed):
    return lambda *overrides: OmegaConf.to_container(composed(*overrides), resolve=True)


@pytest.fixture(scope="module")
def default(settings) -> Tree:
    return settings()


def reversed_order(tree: Any) -> Any:
    if not isinstance(tree, Mapping):
        return tree
    return {key: reversed_order(tree[key]) for key in reversed(tree)}


def test_two_different_keys_of_eight_hexadecimal_digits(default):
    keys = {training_key(default), evaluation_key(default)}
    assert len(keys) == 2
    assert all(len(key) == 8 and int(key, 16) >= 0 for key in keys)


@pytest.mark.parametrize("override", IN_NEITHER)
def test_what_changes_no_number_changes_no_key(settings, default, override):
    other = settings(override)
    assert other != default
    assert training_key(other) == training_key(default)
    assert evaluation_key(other) == evaluation_key(default)


@pytest.mark.parametrize("override", IN_THE_EVALUATION_ONLY)
def test_evaluating_differently_does_not_train_again(settings, default, override):
    other = settings(override)
    assert training_key(other) == training_key(default)
    assert evaluation_key(other) != evaluation_key(default)


@pytest.mark.parametrize("override", IN_BOTH)
def test_training_differently_changes_both_keys(settings, default, override):
    other = settings(override)
    assert training_key(other) != training_key(default)
    assert evaluation_key(other) != evaluation_key(default)


def test_another_bracket_changes_both_keys(settings):
    first, second = (settings("system=damped_oscillator", f"bracket={name}") for name in ("gnode", "nms"))
    assert training_key(first) != training_key(second)
    assert evaluation_key(first) != evaluation_key(second)


def test_another_box_of_the_starts_changes_both_keys(settings):
    first, second = (settings("start=in_box", f"start.box=[[-1,1],[-1,{high}]]") for high in (1, 2))
    assert training_key(first) != training_key(second)
    assert evaluation_key(first) != evaluation_key(second)


def test_a_system_that_starts_as_it_does_has_the_keys_of_a_configuration_without_starts(default):
    before = {name: value for name, value in default.items() if name != "start"}
    assert default["start"] is None
    assert training_key(default) == training_key(before)
    assert evaluation_key(default) == evaluation_key(before)


def test_another_version_of_the_results_changes_both_keys(default, monkeypatch):
    before = training_key(default), evaluation_key(default)
    monkeypatch.setattr("metastruct.runs.keys.RESULTS_VERSION", -1)
    assert training_key(default) != before[0]
    assert evaluation_key(default) != before[1]


def test_keys_do_not_depend_on_the_order_of_the_settings(default):
    other = reversed_order(default)
    assert list(other) != list(default)
    assert training_key(other) == training_key(default)
    assert evaluation_key(other) == evaluation_key(default)


RECORDED = CONF.parent / "outputs" / "reference"
