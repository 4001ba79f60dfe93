"""A dynamics with friction and inputs at random states, and how far its energy is from the balance of its powers."""

from __future__ import annotations

import torch
from torch import Tensor

from metastruct.dynamics.dynamics import Scales
from metastruct.dynamics.model import ModulatedModel


def scales(size: int, inputs: int) -> Scales:
    """Of states and inputs that are neither centred nor of spread one."""
    generator = torch.Generator().manual_seed(3)
    mean, std, slope = torch.rand(3, size, generator=generator, dtype=torch.float64) + 0.5
    if not inputs:
        return Scales(mean, std, slope)
    centre, spread = torch.rand(2, inputs, generator=generator, dtype=torch.float64) + 0.5
    return Scales(mean, std, slope, input_mean=centre, input_std=spread)


def given(model: ModulatedModel, tasks: int, points: int, inputs: int) -> tuple[Tensor, Tensor, Tensor]:
    """States, codes and inputs."""
    generator, size = torch.Generator().manual_seed(1), len(model.dynamics.state_mean)
    x = torch.randn(tasks, points, size, generator=generator, dtype=torch.float64)
    codes = torch.randn(tasks, model.code_dim, generator=generator, dtype=torch.float64)
    u = torch.randn(tasks, points, inputs, generator=generator, dtype=torch.float64)
    return x, codes * min(1.0, 2 / model.code_dim**0.5), u


def imbalance(model: ModulatedModel, field: Tensor, x: Tensor, codes: Tensor, u: Tensor) -> Tensor:
    """|dE/dt + what friction takes - what inputs give| over the sum of the sizes of its terms."""
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model.energy(x, codes).sum(), x)
    parts, (taken, supplied) = gradient * field, model.dynamics.powers(x, model.modulation(codes), u)
    assert (taken >= 0).all()
    assert taken.max() > 1e-3
    assert supplied.abs().max() > 1e-3
    return (parts.sum(-1) + taken - supplied).abs() / (parts.abs().sum(-1) + taken + supplied.abs())


def doubled(model: ModulatedModel) -> ModulatedModel:
    """The same with weights twice as large, in double precision."""
    model = model.double()
    with torch.no_grad():
        for parameter in model.dynamics.parameters():
            parameter.mul_(2.0)
    return model


def assert_every_parameter_counts(model: ModulatedModel, x: Tensor, codes: Tensor, u: Tensor) -> None:
    loss = model.vector_field(x, codes, u).square().sum()
    named = dict(model.named_parameters())
    for name, gradient in zip(named, torch.autograd.grad(loss, [*named.values()]), strict=True):
        assert gradient.abs().max() > 0, name
