"""The method written out a second time, slowly: one task after another, every weight matrix formed, nested autograd.

Nothing here uses the sweep, an update or the hyper-network of the package; the model lends its numbers only.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from metastruct.dynamics.model import ModulatedModel

Numbers = dict[str, Tensor]
NET = "dynamics.nets.hamiltonian"
PHI = "modulation.hypernetwork"


def numbers_of(model: ModulatedModel) -> Numbers:
    """Fresh leaves with the values of a model's parameters."""
    return {name: parameter.detach().clone().requires_grad_() for name, parameter in model.named_parameters()}


class Reference:
    """A Hamiltonian MLP under a modulation of its hidden layers, shifts on input and hidden layers, linear phi."""

    def __init__(self, model: ModulatedModel, method: str, rank: int, width: int, depth: int):
        self.method, self.rank, self.width = method, rank, width
        self.hidden = [f"hidden{i}" for i in range(1, depth)]
        own = model.dynamics
        self.mean, self.std, self.derivative_std = own.state_mean, own.state_std, own.derivative_std
        n = len(self.mean) // 2
        pairs = [(self.derivative_std[i] * self.std[n + i], self.derivative_std[n + i] * self.std[i]) for i in range(n)]
        self.scale = math.prod(float(a * b) for a, b in pairs) ** (1 / (2 * n))

    def changes(self, numbers: Numbers, code: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """dW of each hidden layer and the shift of each layer but the last, for one code `[code]`."""
        flat = list(numbers[f"{PHI}.weight"] @ code + numbers[f"{PHI}.bias"])

        def take(*shape: int) -> Tensor:
            size = math.prod(shape)
            taken = torch.stack([flat.pop(0) for _ in range(size)])
            return taken.reshape(shape)

        w, r = self.width, self.rank
        change = {}
        for layer in self.hidden:
            if self.method == "full_weight":
                change[layer] = take(w, w)
            elif self.method in ("multi_rank", "rank_one"):
                left, right = take(w, r), take(w, r)
                change[layer] = sum(torch.outer(left[:, i], right[:, i]) for i in range(r))
            elif self.method == "svd":
                d = take(r).clamp(min=0)
                u, v = (numbers[f"modulation.{side}.hamiltonian_{layer}"] for side in ("left", "right"))
                change[layer] = sum(d[i] * torch.outer(u[:, i], v[:, i]) for i in range(r))
        shift = {layer: take(w) for layer in ("input", *self.hidden)}
        assert not flat
        return change, shift

    def energy(self, numbers: Numbers, x: Tensor, code: Tensor) -> Tensor:
        """H at one state x `[state]` of one task."""
        change, shift = self.changes(numbers, code)
        h = (x - self.mean) / self.std
        for layer in ("input", *self.hidden):
            matrix = numbers[f"{NET}.weights.{layer}"]
            if layer in change:
                matrix = matrix + change[layer]
            h = torch.nn.functional.silu(matrix @ h + numbers[f"{NET}.biases.{layer}"] + shift[layer])
        return self.scale * (numbers[f"{NET}.weights.output"] @ h).squeeze()

    def vector_field(self, numbers: Numbers, x: Tensor, code: Tensor) -> Tensor:
        x = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(self.energy(numbers, x, code), x, create_graph=True)
        by_q, by_p = gradient.chunk(2)
        return torch.cat([by_p, -by_q])

    def task_loss(self, numbers: Numbers, x: Tensor, dxdt: Tensor, code: Tensor) -> Tensor:
        """Mean over the points `[points, state]` of one task."""
        losses = [
            (((self.vector_field(numbers, a, code) - b) / self.derivative_std) ** 2).sum()
            for a, b in zip(x, dxdt, strict=True)
        ]
        return sum(losses) / len(losses)

    def orthogonality(self, numbers: Numbers) -> Tensor:
        """||U^T U - I||_F + ||V^T V - I||_F summed over layers."""
        bases = [value for name, value in numbers.items() if name.startswith(("modulation.left", "modulation.right"))]
        return sum(((b.T @ b - torch.eye(b.shape[1], dtype=b.dtype)) ** 2).sum().sqrt() for b in bases)


def norm_of(values: list[Tensor]) -> Tensor:
    """Euclidean norm of all values together, with gradient zero at zero."""
    square = sum((value**2).sum() for value in values)
    return square.sqrt() if square > 0 else 0 * square


class LazyAdam:
    """Adam whose moments and values move only where a task is in the batch; its count of steps is common to all.

    `sparse` adds eps to the root of the second moment before its bias is corrected, as torch's SparseAdam does.
    """

    def __init__(self, beta1: float, beta2: float, sparse: bool = False, eps: float = 1e-8):
        self.beta1, self.beta2, self.sparse, self.eps = beta1, beta2, sparse, eps
        self.moments: dict[int, tuple[Tensor, Tensor]] = {}
        self.steps = 0

    def step(self, codes: dict[int, Tensor], gradients: dict[int, Tensor], rate: float) -> None:
        self.steps += 1
        first, second = 1 - self.beta1**self.steps, math.sqrt(1 - self.beta2**self.steps)
        eps = self.eps if self.sparse else self.eps * second
        for task, gradient in gradients.items():
            m, v = self.moments.get(task, (torch.zeros_like(gradient), torch.zeros_like(gradient)))
            m = self.beta1 * m + (1 - self.beta1) * gradient
            v = self.beta2 * v + (1 - self.beta2) * gradient**2
            self.moments[task] = m, v
            codes[task] = codes[task] - rate * second / first * m / (v.sqrt() + eps)
