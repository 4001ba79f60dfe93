"""What every base net has: sites, a forward pass under updates, and the gradient of a scalar net."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from metastruct.nets.site import Site, Updates


@dataclass(frozen=True)
class Linearised:
    """A net about states x `[..., tasks, points, in]`, with J = d net/dx there.

    Args:
        value: `[..., tasks, points, out]`.
        along: J t of tangents t, as x.
        back: J^T g of cotangents g, as the value.
    """

    value: Tensor
    along: Callable[[Tensor], Tensor]
    back: Callable[[Tensor], Tensor]


class Net(nn.Module, ABC):
    """A map R^in -> R^out, applied to `[..., tasks, points, in]`, whose sites can be changed per task.

    Args:
        in_features: size of the (standardised) state.
        out_features: 1 for a potential.
        potential: a potential is used through its gradient only, which does not see an additive constant: it has no
            output bias, for that would never receive a gradient.

    Attributes:
        sites: the affine maps that a task may change.
        weights, biases: their W `[out, in]` and b `[out]` by the names of the sites; those of a site `PART.NAME` are
            the NAME of the module PART. Not declared, for a net of parts has none itself.
    """

    sites: list[Site]

    def __init__(self, in_features: int, out_features: int, potential: bool):
        super().__init__()
        self.in_features, self.out_features, self.potential = in_features, out_features, potential

    @classmethod
    def alike(cls, size: int, **settings: Any) -> list[list[int]]:
        """Groups of components of a state that the net treats alike: each has one unit, and its origin is kept.

        Args:
            size: components of a state.
            settings: of the net.
        """
        return []

    @abstractmethod
    def forward(self, x: Tensor, updates: Updates) -> Tensor:
        """The net's value, `[..., tasks, points, out]`."""

    def gradient(self, x: Tensor, updates: Updates) -> Tensor:
        """d net / dx of a potential, `[..., tasks, points, in]`; nets with an explicit formula override this."""
        gradient: Tensor = torch.func.grad(lambda x: self(x, updates).sum())(x)
        return gradient

    def linearised(self, x: Tensor, updates: Updates) -> Linearised:
        """The net about the states x; nets with an explicit formula override this."""

        def function(x: Tensor) -> Tensor:
            return self(x, updates)

        value, back, *_ = torch.func.vjp(function, x)
        return Linearised(value, lambda t: torch.func.jvp(function, (x,), (t,))[1], lambda g: back(g)[0])


MakeNet = Callable[..., Net]  # (in_features, out_features, potential) -> Net
