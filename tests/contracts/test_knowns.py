"""What known parts promise, those of conf/known and a user's: they fit a mechanism, and its balance of power stays."""

from __future__ import annotations

import pytest
import torch
from driven import doubled, given, imbalance, scales

from metastruct.config.schema import ConfigError, groups
from metastruct.dynamics.model import ModulatedModel
from metastruct.running.assembly import build_model, component

SYSTEMS = ("driven_pendulum", "cart_pole", "two_link_arm", "spring_chain")


@pytest.fixture(params=groups()["known"])
def model(request, accepted, composed) -> ModulatedModel:
    words = [word for word in accepted("known", request.param) if not word.startswith("system=")]
    for name in SYSTEMS:
        cfg = composed(f"system={name}", *words)
        system = component(cfg.system)
        torch.manual_seed(0)
        try:
            return doubled(build_model(cfg, scales(system.state_dim, len(system.input_names))))
        except ConfigError as error:
            refused = error
    raise AssertionError(f"no mechanism takes it: {refused}")


def test_the_balance_of_power_holds_beside_nets(model):
    x, codes, u = given(model, 3, 6, model.dynamics.inputs)
    assert imbalance(model, model.vector_field(x, codes, u), x, codes, u).max() < 1e-12
