"""SOAP: Adam in the eigenbases of Shampoo's factors (Vyas et al. 2024, SOAP: improving and stabilizing Shampoo).

For a matrix with gradient G, all averages exponential:

    M = mean of G,  V = mean of (Q_L^T G Q_R)^2
    W <- W - rate Q_L (Q_L^T M Q_R / (sqrt(V) + eps)) Q_R^T
    L = mean of G G^T,  R = mean of G^T G,  with eigenbases Q_L and Q_R, one QR iteration every few steps

A gradient is seen in the bases of those before it: in its own it would be diagonal. So the first one only makes bases.
A side that is longer than a bound keeps its own basis; vectors, and the codes of tasks, take Adam's steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from metastruct.optimizers.optimizer import Group, Optimizer, stacks

EPS = 1e-8


class SOAP(Optimizer):
    """Second-order scaling for a few products of the size of each matrix: fewer steps than Adam, each dearer.

    Args:
        beta2: decay of L, R and V.
        every: steps between two iterations of the bases.
        longest: side of a matrix above which it keeps its own basis.
        rates: as of `Optimizer`.
    """

    def __init__(self, beta2: float, every: int, longest: int, **rates: float):
        super().__init__(**rates)  # type: ignore[arg-type]
        if every < 1 or longest < 1:
            raise ValueError(
                f"optimizer=soap needs every >= 1 and longest >= 1, got every {every} and longest {longest}"
            )
        self.beta2, self.every, self.longest = beta2, every, longest

    def dense(self, groups: list[Group], replicas: int) -> torch.optim.Optimizer:
        base, *codes = groups
        settings = {"beta1": 0.9, "beta2": self.beta2, "every": self.every, "longest": self.longest}
        return Rotated([base | {"axes": replicas + 2}, *(group | {"axes": None} for group in codes)], settings)

    def sparse(self, group: Group) -> torch.optim.Optimizer:
        return torch.optim.SparseAdam([group], betas=(0.9, self.beta2))


class Rotated(torch.optim.Optimizer):
    """The rule above; parameters of one shape are stacked and step together, with one state under the first of them.

    In a group, `axes` is the number of axes of a matrix, those of replicas included; None: there is none.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step along the gradients; parameters without one stay where they are."""
        for group in self.param_groups:
            for alike in stacks(group["params"]):
                gradient = torch.stack([parameter.grad for parameter in alike])  # type: ignore[misc]
                matrices = gradient.dim() - 1 == group["axes"]
                change = self._change(gradient, self.state[alike[0]], group, matrices)
                for parameter, move in zip(alike, change.unbind(0), strict=True):
                    parameter.add_(move, alpha=-group["lr"])

    def _change(self, gradient: Tensor, state: dict[str, Any], group: Group, matrices: bool) -> Tensor:
        beta1, beta2 = group["beta1"], group["beta2"]
        if not state:
            state |= {"step": 0, "mean": torch.zeros_like(gradient), "square": torch.zeros_like(gradient)}
            if matrices:
                for side, size in _sides(gradient):
                    if size <= group["longest"]:
                        state[f"factor{side}"] = gradient.new_zeros(*gradient.shape[:-2], size, size)
        if len(state["mean"]) != len(gradient):
            raise ValueError(
                "optimizer=soap needs gradients of the same parameters in every step, got "
                f"{len(gradient)} of the shape {list(gradient.shape[1:])} where there were {len(state['mean'])}"
            )
        first = any(f"factor{side}" in state and f"basis{side}" not in state for side in (0, 1))
        change = torch.zeros_like(gradient) if first else self._step(gradient, state, beta1, beta2)
        for side, _ in _sides(gradient) if matrices else ():
            if f"factor{side}" in state:
                factor = gradient @ gradient.mT if side == 0 else gradient.mT @ gradient
                state[f"factor{side}"].lerp_(factor, 1 - beta2)
        if matrices and state["step"] % group["every"] == 0:
            turn(state)
        return change

    @staticmethod
    def _step(gradient: Tensor, state: dict[str, Any], beta1: float, beta2: float) -> Tensor:
        state["step"] += 1
        step, mean, square = state["step"], state["mean"], state["square"]
        mean.lerp_(gradient, 1 - beta1)
        rotated = into(state, gradient)
        square.lerp_(rotated * rotated, 1 - beta2)
        scale = (square / (1 - beta2**step)).sqrt_().add_(EPS)
        return out_of(state, into(state, mean) / scale) / (1 - beta1**step)


def _sides(matrix: Tensor) -> tuple[tuple[int, int], tuple[int, int]]:
    """Left and right, with their lengths."""
    return (0, matrix.shape[-2]), (1, matrix.shape[-1])


def into(state: dict[str, Any], matrix: Tensor) -> Tensor:
    """Q_L^T matrix Q_R of a matrix `[..., rows, columns]`."""
    if "basis0" in state:
        matrix = state["basis0"].mT @ matrix
    return matrix @ state["basis1"] if "basis1" in state else matrix


def out_of(state: dict[str, Any], matrix: Tensor) -> Tensor:
    """Q_L matrix Q_R^T of a matrix `[..., rows, columns]`."""
    if "basis0" in state:
        matrix = state["basis0"] @ matrix
    return matrix @ state["basis1"].mT if "basis1" in state else matrix


def turn(state: dict[str, Any]) -> None:
    """The bases: eigenvectors at first, then one QR iteration, largest eigenvalues first; V keeps to its directions.

    Directions without a gradient stay where they are, else round-off would choose among them.
    """
    for side in (0, 1):
        factor = state.get(f"factor{side}")
        if factor is None:
            continue
        basis = state.get(f"basis{side}")
        if basis is None:
            state[f"basis{side}"] = _eigenvectors(factor)
            continue
        values = ((factor @ basis) * basis).sum(-2)
        values, order = torch.where(_empty(values), 0.0, values).sort(dim=-1, descending=True, stable=True)
        columns = order[..., None, :]
        basis = basis.gather(-1, columns.expand_as(basis))
        square = state["square"]
        index = order[..., :, None].expand_as(square) if side == 0 else columns.expand_as(square)
        state["square"] = square.gather(-2 if side == 0 else -1, index)
        state[f"basis{side}"] = torch.linalg.qr(torch.where((values == 0)[..., None, :], basis, factor @ basis)).Q


def _empty(values: Tensor) -> Tensor:
    """Which eigenvalues `[..., size]` are nothing but round-off beside the others."""
    return values <= torch.finfo(values.dtype).eps ** (3 / 4) * values.sum(-1, keepdim=True)


def _eigenvectors(factor: Tensor) -> Tensor:
    """Largest eigenvalues first; those of nothing by the axes that they are nearest to, which makes them definite.

    The identity where the factor is not finite, for eigh would fail the others too.
    """
    size = factor.shape[-1]
    identity = torch.eye(size, dtype=factor.dtype, device=factor.device)
    finite = factor.isfinite().all(-1, keepdim=True).all(-2, keepdim=True)
    factor = torch.where(finite, factor, identity)
    values, vectors = torch.linalg.eigh(factor)
    empty = vectors * _empty(values)[..., None, :]
    nothing = empty @ empty.mT
    axes = torch.linspace(1, 2, size, dtype=factor.dtype, device=factor.device).diag()
    below = values.sum(-1).clamp(min=torch.finfo(factor.dtype).tiny)[..., None, None] * (nothing @ axes @ nothing)
    return torch.linalg.eigh(factor - below).eigenvectors.flip(-1)
