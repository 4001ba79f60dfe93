"""The balance of power of random nets, whatever modulates them, and without it as the control."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

import torch

from metastruct.config.schema import composed, groups
from metastruct.dynamics.dynamics import Scales
from metastruct.dynamics.triangular import Triangular
from metastruct.running.assembly import build_model
from metastruct.running.run import Run


def balance(system: str, dynamics: str, seed: int, outputs: str) -> Iterator[tuple[str, float]]:
    """|dE/dt + what friction takes - what inputs give| over the sizes of the terms, the largest of random nets."""
    for modulation in groups()["modulation"]:
        yield modulation, imbalance(dynamics, modulation)
    if dynamics == "mechanical":
        right = Triangular.back  # d(w^T K u)/d numbers of K, that of the kinetic energy
        with patch.object(Triangular, "back", lambda *given: 2 * right(*given)):
            yield "control: Coriolis terms without their half", imbalance(dynamics, "svd")


def imbalance(dynamics: str, modulation: str) -> float:
    """Of three coordinates, or pairs, two inputs and twenty nets of double precision."""
    torch.manual_seed(0)
    mean, std, rate = torch.rand(3, 6, dtype=torch.float64) + 0.5
    centre, spread = torch.rand(2, 2, dtype=torch.float64) + 0.5
    friction = {"mechanical": "rayleigh", "port_hamiltonian": "state"}[dynamics]
    more = (f"dynamics.friction={friction}", "dynamics.drive=state", f"modulation={modulation}")
    config = Run.of(composed(f"dynamics={dynamics}", *more)).config
    largest = 0.0
    for _ in range(20):
        model = build_model(config, Scales(mean, std, rate, input_mean=centre, input_std=spread)).double()
        x = torch.randn(5, 20, 6, dtype=torch.float64, requires_grad=True)
        codes, u = torch.randn(5, model.code_dim, dtype=torch.float64), torch.randn(5, 20, 2, dtype=torch.float64)
        codes = codes * min(1.0, 2 / model.code_dim**0.5)
        (gradient,) = torch.autograd.grad(model.energy(x, codes).sum(), x)
        parts = gradient * model.vector_field(x, codes, u)
        taken, supplied = model.dynamics.powers(x, model.modulation(codes), u)
        relative = (parts.sum(-1) + taken - supplied).abs() / (parts.abs().sum(-1) + taken + supplied.abs())
        largest = max(largest, relative.max().item())
    return largest
