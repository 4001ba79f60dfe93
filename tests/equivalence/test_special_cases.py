"""Special cases equal the general one."""

from __future__ import annotations

import pytest
import torch

from metastruct.nets.net import Net


def shared_draw(tasks: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(tasks, 5, 2, generator=generator, dtype=torch.float64)
    return x, torch.randn(tasks, 3, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("net", ["mlp", "separable"])
def test_multi_rank_of_rank_one_is_rank_one(small, random_model, net):
    one = random_model(small("modulation=rank_one", f"net={net}"))
    multi = random_model(small("modulation=multi_rank", f"net={net}", modulation__rank=1))
    assert one.state_dict().keys() == multi.state_dict().keys()
    x, codes = shared_draw()
    assert torch.equal(one.vector_field(x, codes), multi.vector_field(x, codes))
    two = random_model(small("modulation=multi_rank", f"net={net}", modulation__rank=2))
    assert not torch.allclose(one.vector_field(x, codes), two.vector_field(x, codes))


@pytest.mark.parametrize("net", ["mlp", "separable"])
def test_svd_without_singular_values_and_shifts_is_the_base(small, random_model, net):
    model = random_model(small("modulation=svd", f"net={net}"), gain=3.0)
    x, codes = shared_draw()
    base = [net.gradient(model.dynamics.standardise(x), {}) for net in model.dynamics.nets.values()]
    assert all(isinstance(net, Net) for net in model.dynamics.nets.values())
    plain = base[0] @ model.dynamics.to_field
    assert not torch.allclose(model.vector_field(x, codes), plain)
    with torch.no_grad():
        for parameter in model.modulation.hypernetwork.parameters():
            parameter.zero_()
    torch.testing.assert_close(model.vector_field(x, codes), plain, rtol=1e-12, atol=1e-14)


def test_full_weight_with_the_product_of_the_factors_is_multi_rank(small, random_model):
    from metastruct.modulation.full_weight import FullUpdate
    from metastruct.modulation.low_rank import LowRankUpdate

    model = random_model(small("modulation=multi_rank", modulation__rank=2), gain=3.0)
    x, codes = shared_draw()
    updates = model.modulation(codes)
    dense = {
        name: FullUpdate(update.left @ update.right.mT, update.shift) if isinstance(update, LowRankUpdate) else update
        for name, update in updates.items()
    }
    torch.testing.assert_close(
        model.dynamics.vector_field(x, updates), model.dynamics.vector_field(x, dense), rtol=1e-11, atol=1e-13
    )


def test_shift_is_full_weight_without_the_change_of_the_matrices(small, random_model):
    shift = random_model(small("modulation=shift"), gain=3.0)
    full = random_model(small("modulation=full_weight"), gain=3.0)
    full.dynamics.load_state_dict(shift.dynamics.state_dict())
    shifts = sum(p.numel() for p in [shift.modulation.hypernetwork.bias])
    with torch.no_grad():
        for name, value in full.modulation.hypernetwork.named_parameters():
            value.zero_()
            value[-shifts:] = getattr(shift.modulation.hypernetwork, name)
    x, codes = shared_draw()
    torch.testing.assert_close(full.vector_field(x, codes), shift.vector_field(x, codes), rtol=1e-12, atol=1e-14)
