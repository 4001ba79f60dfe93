"""The model is built without numbers before a run writes anything."""

from __future__ import annotations

import pytest
import torch

from metastruct.config.facts import options
from metastruct.config.schema import ConfigError
from metastruct.dynamics.dynamics import Scales
from metastruct.nets.mlp import MLP
from metastruct.running.assembly import build_model, component
from metastruct.running.experiment import run
from metastruct.running.run import Run
from metastruct.running.validation import validate
from metastruct.running.validation.rehearsal import rehearse
from metastruct.running.validation.size import check_trained


@pytest.mark.few(1)
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
    huge = "metastruct.running.validation.rehearsal.check_trained"
    monkeypatch.setattr(huge, lambda parameters, replicas: check_trained(10**12 * parameters, replicas))
    with pytest.raises(ConfigError, match=r"the training of a model of [0-9,]+ parameters would take .* GiB"):
        run(cfg)
    assert not (tmp_path / "outputs").exists()


REFUSED_BY_A_CLASS = {  # each a value that the bounds let pass where the class is told to refuse it
    "metastruct.optimizers.adam.Adam": "optimizer.base_rate=0.0125",
    "metastruct.learners.auto_decoding.AutoDecoding": "learner.point_batch=7",
    "metastruct.data.simulated.Simulated": "data.horizon=3.5",
    "metastruct.adaptation.gradient.GradientDescent": "adaptation=gradient",
    "metastruct.integrators.rk4.RK4": "integrator.step_size=0.0125",
    "metastruct.modulation.svd.SVD": "modulation.scale=0.0125",
    "metastruct.nets.mlp.MLP": "net.width=7",
    "metastruct.objectives.derivatives.Derivatives": "objective=derivatives",
    "metastruct.systems.pendulum.Pendulum": "system=pendulum",
}


@pytest.mark.few(2)
@pytest.mark.parametrize("target", REFUSED_BY_A_CLASS)
@pytest.mark.parametrize("replicas", [1, 2])
def test_what_any_class_refuses_leaves_no_run_folder(composed, tmp_path, monkeypatch, target, replicas):
    def refuses(self, *args, **settings):
        raise ValueError("the class refuses it")

    cfg = composed(REFUSED_BY_A_CLASS[target], "logger=none", f"replicas={replicas}", f"outputs={tmp_path / 'outputs'}")
    validate(cfg)
    monkeypatch.setattr("metastruct.running.experiment.validate", lambda cfg: None)
    monkeypatch.setattr(f"{target}.__init__", refuses)
    with pytest.raises(ConfigError, match="the class refuses it"):
        run(cfg)
    assert not [*(tmp_path / "outputs").glob("*-seed*"), *(tmp_path / "outputs").glob("training/*")]


def test_a_net_whose_constructor_reads_numbers_is_rehearsed_with_them(composed, monkeypatch):
    config, construct = Run.of(composed()).config, MLP.__init__
    count = rehearse(config)

    def reading(net: MLP, *sizes: object, **settings: object) -> None:
        assert torch.arange(3).tolist() == [0, 1, 2]
        construct(net, *sizes, **settings)

    monkeypatch.setattr(MLP, "__init__", reading)
    torch.manual_seed(0)
    expected = torch.rand(())
    torch.manual_seed(0)
    assert rehearse(config) == count
    assert torch.rand(()) == expected, "the rehearsal drew random numbers"


def test_what_only_the_rule_of_an_optimizer_refuses_is_refused_too(composed, monkeypatch):
    config = Run.of(composed("optimizer=adam", "optimizer.beta2=0.5")).config
    config.optimizer["beta2"] = 1.5
    with pytest.raises(ConfigError, match=r"optimizer=adam: Invalid beta"):
        rehearse(config)
