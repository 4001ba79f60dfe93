"""Muon moves all directions of a matrix alike, whatever their gradients are."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from metastruct.optimizers.muon import Muon, orthogonalised

RATES = {"base_rate": 0.01, "code_rate": 0.03, "beta2": 0.99, "momentum": 0.95, "shortest": 4}
SPREAD = torch.logspace(0, -2, 6, dtype=torch.float64)  # singular values of a gradient


def gradient(rows: int, columns: int, seed: int = 0) -> Tensor:
    """A matrix with these singular values."""
    generator = torch.Generator().manual_seed(seed)
    left, right = (
        torch.linalg.qr(torch.randn(size, 6, dtype=torch.float64, generator=generator)).Q for size in (rows, columns)
    )
    return left @ SPREAD.diag() @ right.mT


def drawn(rows: int, columns: int) -> Tensor:
    """Normal numbers, always the same."""
    return torch.randn(rows, columns, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def moved(start: Tensor, by: Tensor, replicas: int = 0) -> Tensor:
    """Where one step leads."""
    parameter = torch.nn.Parameter(start.clone())
    (rule,) = Muon(**RATES).over([parameter], replicas=replicas)
    parameter.grad = by.clone()
    rule.step()
    return parameter.detach()


@pytest.mark.parametrize(("rows", "columns"), [(6, 6), (6, 9), (9, 6)])
def test_singular_values_become_about_one_and_directions_stay(rows, columns):
    matrix = gradient(rows, columns)
    left, values, right = torch.linalg.svd(orthogonalised(matrix), full_matrices=False)
    assert values.min() > 0.6
    assert values.max() < 1.3
    nearest = torch.linalg.svd(matrix, full_matrices=False)
    torch.testing.assert_close((left @ right), nearest.U @ nearest.Vh)
    assert torch.linalg.svdvals(matrix).min() < 0.1  # which it does without


@pytest.mark.parametrize("size", [1e-12, 1e12])
def test_the_size_of_a_gradient_is_not_felt(size):
    matrix = gradient(6, 9)
    torch.testing.assert_close(orthogonalised(size * matrix), orthogonalised(matrix))


def test_a_step_is_as_large_as_one_of_adam():
    start, by = torch.zeros(64, 64, dtype=torch.float64), drawn(64, 64)
    change = moved(start, by)
    assert change.square().mean().sqrt() == pytest.approx(0.2 * RATES["base_rate"], rel=0.2)
    assert (change * by).sum() < 0


def test_a_thin_matrix_takes_the_step_of_adam():
    by = drawn(64, 3)
    by = by + by.sign()  # large beside Adam's epsilon
    torch.testing.assert_close(moved(torch.zeros_like(by), by), -RATES["base_rate"] * by.sign())
    square = drawn(64, 4)
    assert (moved(torch.zeros_like(square), square).abs() - RATES["base_rate"]).abs().max() > 1e-3


def test_replicas_do_not_feel_each_other():
    first, second = gradient(6, 9, seed=1), 1e3 * gradient(6, 9, seed=2)
    both = moved(torch.zeros(2, 6, 9, dtype=torch.float64), torch.stack([first, second]), replicas=1)
    torch.testing.assert_close(both[0], moved(torch.zeros_like(first), first))
    torch.testing.assert_close(both[1], moved(torch.zeros_like(second), second))
