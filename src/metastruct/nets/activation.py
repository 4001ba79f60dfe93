"""Activations by what the gradient of a net and its backward pass ask of them.

Passes over memory, not arithmetic, are what an activation costs beside matrix products; so each keeps what its value,
slope and curvature share. Plain differentiable tensor code throughout.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

Kept = tuple[Tensor, ...]


class Activation(ABC):
    """A smooth elementwise function."""

    @abstractmethod
    def keep(self, z: Tensor) -> Kept:
        """(act(z), ...): the value, and what the slope and the curvature are made from."""

    @abstractmethod
    def slope(self, kept: Kept) -> Tensor:
        """act'(z)."""

    @abstractmethod
    def curvature(self, slope: Tensor, kept: Kept) -> Tensor:
        """act''(z), in memory of its own."""


class SiLU(Activation):
    """z s with s = sigmoid(z); act' = act + (1 - act) s, act'' = (1 - s)(2 act' - act)."""

    def keep(self, z: Tensor) -> Kept:
        sigmoid = torch.sigmoid(z)
        return z * sigmoid, sigmoid

    def slope(self, kept: Kept) -> Tensor:
        value, sigmoid = kept
        return torch.lerp(value, torch.ones((), dtype=value.dtype, device=value.device), sigmoid)

    def curvature(self, slope: Tensor, kept: Kept) -> Tensor:
        value, sigmoid = kept
        u = torch.lerp(value, slope, 2.0)
        return torch.addcmul(u, u, sigmoid, value=-1)


class Tanh(Activation):
    """tanh(z); act' = 1 - act^2, act'' = -2 act act'."""

    def keep(self, z: Tensor) -> Kept:
        return (torch.tanh(z),)

    def slope(self, kept: Kept) -> Tensor:
        return 1 - kept[0] * kept[0]

    def curvature(self, slope: Tensor, kept: Kept) -> Tensor:
        return -2 * kept[0] * slope


class Sine(Activation):
    """sin(z); act' = cos(z), act'' = -sin(z)."""

    def keep(self, z: Tensor) -> Kept:
        return torch.sin(z), torch.cos(z)

    def slope(self, kept: Kept) -> Tensor:
        return kept[1]

    def curvature(self, slope: Tensor, kept: Kept) -> Tensor:
        return -kept[0]


class Softplus(Activation):
    """log(1 + exp(z)); act' = s = sigmoid(z), act'' = s (1 - s)."""

    def keep(self, z: Tensor) -> Kept:
        return torch.nn.functional.softplus(z), torch.sigmoid(z)

    def slope(self, kept: Kept) -> Tensor:
        return kept[1]

    def curvature(self, slope: Tensor, kept: Kept) -> Tensor:
        return slope * (1 - slope)


ACTIVATIONS: dict[str, Activation] = {"silu": SiLU(), "tanh": Tanh(), "sine": Sine(), "softplus": Softplus()}
