"""Smooth activations a with their slope a', as one differentiable function z -> (a(z), a'(z)).

The gradient of a net needs both, and its own derivative a''. Each activation is part of a family of functions that is
closed under differentiation: the derivative of every member is a formula in the values of the members, so that nothing
is evaluated twice and any derivative of any order, in reverse and in forward mode, follows from one rule. Passes over
memory, not arithmetic, are what an activation costs beside matrix products.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from inspect import signature
from typing import Any

import torch
from torch import Tensor

Family = tuple[Tensor, ...]


class Activation(ABC):
    """A family of elementwise functions; the first is the activation, the second its slope."""

    @abstractmethod
    def family(self, z: Tensor) -> Family:
        """(a(z), a'(z), ...), each `[...]` like z."""

    @abstractmethod
    def derivative(self, member: int, family: Family) -> Tensor:
        """The derivative of a member, from the values of all; but for the first, in memory of its own."""

    def __call__(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """a(z) and a'(z), both `[...]` like z."""
        # what no gradient follows needs no rule for it, whose bookkeeping takes a tenth of a small field
        value, slope, *_ = _Family.apply(z, self) if torch.is_grad_enabled() else self.family(z)
        return value, slope


class _Family(torch.autograd.Function):
    """z -> the family, with d family / dz from the family itself."""

    generate_vmap_rule = True

    @staticmethod
    def forward(z: Tensor, activation: Activation) -> Family:
        return activation.family(z)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Activation], output: Family) -> None:
        ctx.activation = inputs[1]
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*output)
        ctx.save_for_forward(*output)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> tuple[Tensor | None, None]:
        family, total = ctx.saved_tensors, None
        for member, cotangent in reversed([*enumerate(cotangents)]):
            if cotangent is None:
                continue
            derivative = ctx.activation.derivative(member, family)
            if total is not None:
                total = total.addcmul_(cotangent, derivative)
            else:
                total = derivative.mul_(cotangent) if member else derivative * cotangent
        return total, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: None) -> Family:
        family = ctx.saved_tensors
        return tuple(tangent * ctx.activation.derivative(member, family) for member in range(len(family)))


# Function.apply asks for this signature at every call: an answer that lies ready saves one per cent of an outer step.
_Family.forward.__signature__ = signature(_Family.forward)  # type: ignore[attr-defined]


class SiLU(Activation):
    """z s with s = sigmoid(z): a' = a + (1 - a) s, a'' = (1 - s)(2 a' - a), s' = s (1 - s)."""

    def family(self, z: Tensor) -> Family:
        s = torch.sigmoid(z)
        value = z * s
        return value, torch.lerp(value, torch.ones((), dtype=z.dtype, device=z.device), s), s

    def derivative(self, member: int, family: Family) -> Tensor:
        value, slope, s = family
        if member == 0:
            return slope
        scale = torch.lerp(value, slope, 2.0) if member == 1 else s
        return torch.addcmul(scale, scale, s, value=-1)


class Tanh(Activation):
    """t = tanh(z): t' = 1 - t^2, t'' = -2 t t'."""

    def family(self, z: Tensor) -> Family:
        t = torch.tanh(z)
        return t, 1 - t * t

    def derivative(self, member: int, family: Family) -> Tensor:
        t, slope = family
        return -2 * t * slope if member else slope


class Sine(Activation):
    """sin(z) and cos(z)."""

    def family(self, z: Tensor) -> Family:
        return torch.sin(z), torch.cos(z)

    def derivative(self, member: int, family: Family) -> Tensor:
        sine, cosine = family
        return -sine if member else cosine


class Softplus(Activation):
    """log(1 + exp(z)), with the slope s = sigmoid(z) and s' = s (1 - s)."""

    def family(self, z: Tensor) -> Family:
        return torch.nn.functional.softplus(z), torch.sigmoid(z)

    def derivative(self, member: int, family: Family) -> Tensor:
        s = family[1]
        return torch.addcmul(s, s, s, value=-1) if member else s


ACTIVATIONS: dict[str, Activation] = {"silu": SiLU(), "tanh": Tanh(), "sine": Sine(), "softplus": Softplus()}
