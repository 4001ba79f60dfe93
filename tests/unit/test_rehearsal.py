"""The model is built without numbers before a run writes anything."""

from __future__ import annotations

import pytest
import torch

from metastruct.assembly import build_model, component
from metastruct.config import ConfigError
from metastruct.dynamics.dynamics import Scales
from metastruct.experiment import run
from metastruct.facts import options
from metastruct.run import Run
from metastruct.validation import validate
from metastruct.validation.rehearsal import rehearse


@pytest.mark.parametrize("group", ["modulation", "net", "bracket", "learner"])
def test_every_model_is_rehearsed_with_the_parameters_that_it_has(composed, accepted, group):
    for option in options(group):
        config = Run.of(composed(*accepted(group, option))).config
        torch.manual_seed(0)
        expected = torch.rand(())
        torch.manual_seed(0)
        count = rehearse(config)
        assert torch.rand(()) == expected, "the rehearsal drew random numbers"
        size = component(config.system).state_dim
        model = build_model(config, Scales(*(torch.ones(size) for _ in range(3))))
        assert count == sum(parameter.numel() for parameter in model.parameters()) > 0


def test_what_a_class_refuses_is_a_mistake_of_the_configuration(composed):
    config = Run.of(composed("net=separable", "system=damped_chain", "dynamics=unstructured")).config
    with pytest.raises(ConfigError, match="net=separable is a scalar potential"):
        rehearse(config)


def test_a_run_is_refused_by_its_rehearsal_without_a_folder(composed, tmp_path, monkeypatch):
    cfg = composed("logger=none", f"outputs={tmp_path / 'outputs'}")
    validate(cfg)
    monkeypatch.setattr("metastruct.validation.rehearsal.memory", lambda: 1000.0)
    with pytest.raises(ConfigError, match=r"the model has [0-9,]+ parameters, whose training would take .* GiB"):
        run(cfg)
    assert not (tmp_path / "outputs").exists()
