"""What nets see of positions y: (sin y, cos y) of those that are angles, and the rest as they are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Chart(nn.Module):
    """phi(y) with its derivative: a turn more or less of an angle changes nothing.

    Args:
        size: coordinates.
        angles: which of them are angles, numbers from 0.

    Raises:
        ValueError: there is no such coordinate, or one is named twice.
    """

    order: Tensor  # of the coordinates, angles last
    place: Tensor  # of each coordinate in that order

    def __init__(self, size: int, angles: Sequence[int]):
        if any(type(angle) is not int for angle in angles) or len({*angles} & {*range(size)}) != len(angles):
            raise ValueError(
                f"dynamics.angles must name coordinates by their numbers, 0 to {size - 1}, once each, got {[*angles]}"
            )
        super().__init__()
        order = [*(i for i in range(size) if i not in angles), *angles]
        self.register_buffer("order", torch.tensor(order))
        self.register_buffer("place", torch.tensor([order.index(i) for i in range(size)]))
        self.turning = len(angles)
        self.features = size + self.turning

    def forward(self, y: Tensor) -> Tensor:
        """`[..., features]` from positions `[..., size]`."""
        if not self.turning:
            return y
        rest, angles = self._split(y)
        return torch.cat([rest, angles.sin(), angles.cos()], dim=-1)

    def along(self, y: Tensor, w: Tensor) -> Tensor:
        """d phi/dy w, of tangents w `[..., size]`."""
        if not self.turning:
            return w
        (_, angles), (rest, turns) = self._split(y), self._split(w)
        return torch.cat([rest, angles.cos() * turns, -angles.sin() * turns], dim=-1)

    def back(self, y: Tensor, g: Tensor) -> Tensor:
        """(d phi/dy)^T g, of cotangents g `[..., features]`."""
        if not self.turning:
            return g
        _, angles = self._split(y)
        rest, sine, cosine = g.split([y.shape[-1] - self.turning, self.turning, self.turning], dim=-1)
        slopes = torch.cat([rest, angles.cos() * sine - angles.sin() * cosine], dim=-1)
        return slopes.index_select(-1, self.place)

    def _split(self, values: Tensor) -> list[Tensor]:
        """The other coordinates, and the angles."""
        return list(values.index_select(-1, self.order).split([values.shape[-1] - self.turning, self.turning], dim=-1))
