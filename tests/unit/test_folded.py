from __future__ import annotations

import pytest
import torch

from metastruct.config.facts import options
from metastruct.dynamics.folded import folded

CHANGES_MATRICES = ("full_weight", "svd", "multi_rank")


@pytest.mark.parametrize("modulation", CHANGES_MATRICES)
@pytest.mark.parametrize("bracket", options("bracket"))
def test_updates_of_a_bracket_folded_make_the_same_field(small, random_model, bracket, modulation):
    words = ("dynamics=generic", f"bracket={bracket}", "system=two_gas_containers", f"modulation={modulation}")
    tags = ["hidden", "bracket"]
    model = random_model(small(*words, modulation__tags=tags, modulation__shift_tags=["input", *tags]))
    updates = model.modulation(torch.randn(3, model.code_dim, dtype=torch.float64))
    x = torch.randn(3, 5, len(model.dynamics.state_mean), dtype=torch.float64)
    field = model.dynamics.vector_field(x, updates)
    ready = folded(updates, model.dynamics)
    assert {name for name in updates if name.startswith("bracket")}
    torch.testing.assert_close(model.dynamics.vector_field(x, ready), field, rtol=1e-12, atol=1e-12)
    assert not torch.allclose(field, model.dynamics.vector_field(x, {}))
