"""What nets see of positions y: of those that are angles, or sums of two, (sin, cos), and the rest as they are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor, nn


class Chart(nn.Module):
    """phi(y) with its derivative: a turn more or less of an angle changes nothing.

    Args:
        size: coordinates.
        angles: which of them are angles, numbers from 0.
        sums: are sums and differences of two angles angles to be seen as well? A link that hangs at another one has the
            height cos(y_1 + y_2) where y_2 is the angle between them.

    Raises:
        ValueError: there is no such coordinate, or one is named twice.
    """

    order: Tensor  # of the coordinates, angles last
    place: Tensor  # of each coordinate in that order
    combined: (
        Tensor  # [angles, arguments], where there are sums: those of sine and cosine are products of angles with it
    )

    def __init__(self, size: int, angles: Sequence[int], sums: bool = False):
        if any(type(angle) is not int for angle in angles) or len({*angles} & {*range(size)}) != len(angles):
            raise ValueError(
                f"dynamics.angles must name coordinates by their numbers, 0 to {size - 1}, once each, got {[*angles]}"
            )
        super().__init__()
        order = [*(i for i in range(size) if i not in angles), *angles]
        self.register_buffer("order", torch.tensor(order))
        self.register_buffer("place", torch.tensor([order.index(i) for i in range(size)]))
        self.turning, self.sums = len(angles), sums and len(angles) > 1
        self.arguments = self.turning**2 if self.sums else self.turning
        if self.sums:
            columns = torch.eye(self.turning)
            pairs = torch.tensor([*combinations(range(self.turning), 2)]).T
            first, second = columns[:, pairs[0]], columns[:, pairs[1]]
            self.register_buffer("combined", torch.cat([columns, first + second, first - second], dim=1))
        self.features = size - self.turning + 2 * self.arguments

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
        rest, sine, cosine = g.split([y.shape[-1] - self.turning, self.arguments, self.arguments], dim=-1)
        slopes = angles.cos() * sine - angles.sin() * cosine
        if self.sums:
            slopes = slopes @ self.combined.mT
        return torch.cat([rest, slopes], dim=-1).index_select(-1, self.place)

    def _split(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """The other coordinates, and the arguments of sine and cosine."""
        rest, angles = values.index_select(-1, self.order).split([len(self.order) - self.turning, self.turning], dim=-1)
        return rest, angles @ self.combined if self.sums else angles
