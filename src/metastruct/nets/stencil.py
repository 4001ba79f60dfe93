"""Fields on a regular grid, and the differences of which local energies are made.

A state holds `components` fields one after another, each row by row over the grid. D u = (u_{x+1} - u_x)/spacing is
the forward difference along an axis, D^T its transpose. Periodic ends close the grid to a ring; fixed ends hold the
field at zero outside, which is a ring with zeros between both ends. Pure rolls and sums: every derivative goes through,
and the cost grows as the number of sites.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

ENDS = ("periodic", "fixed")


@dataclass(frozen=True)
class Grid:
    """Where the fields live.

    Args:
        components: number of fields.
        shape: sites along each axis.
        spacing: distance of neighbours, in a unit of length in which fields vary by their own size.
        ends: periodic or fixed.

    Raises:
        ValueError: it has no component or no site, no distance above zero, or other ends.
    """

    components: int
    shape: tuple[int, ...]
    spacing: float = 1.0
    ends: str = "periodic"

    def __post_init__(self) -> None:
        if self.components < 1 or not self.shape or min(self.shape) < 1:
            raise ValueError(f"a grid needs components and sites, got {self.components} on {list(self.shape)}")
        if not self.spacing > 0:
            raise ValueError(f"net.spacing must be above 0, got {self.spacing}")
        if self.ends not in ENDS:
            raise ValueError(f"net.ends must be one of {', '.join(ENDS)}, got {self.ends!r}")

    @classmethod
    def of(cls, size: int, components: int, shape: Sequence[int] | None, spacing: float, ends: str) -> Grid:
        """Of a state of so many numbers; without a shape the sites lie on a line.

        Raises:
            ValueError: as of the class, or the size is another one.
        """
        line = (max(1, size // max(1, components)),) if shape is None else tuple(shape)
        grid = cls(components, line, spacing, ends)
        if components * math.prod(line) != size:
            raise ValueError(
                f"net.components={components} and net.shape={shape and list(shape)} need a state of "
                f"{components * math.prod(line)} numbers, got {size}; change one of them"
            )
        return grid

    @property
    def axes(self) -> range:
        """Of fields, counted from behind."""
        return range(-len(self.shape), 0)

    def fields(self, x: Tensor) -> Tensor:
        """States `[..., state]` as fields `[..., components, *shape]`."""
        return x.unflatten(-1, (self.components, *self.shape))

    def states(self, u: Tensor) -> Tensor:
        """Fields `[..., components, *shape]` as states `[..., state]`."""
        return u.flatten(-1 - len(self.shape))

    def ring(self, u: Tensor, zeros: int) -> Tensor:
        """Fields `[..., *shape]` with so many zeros between both ends of each axis, where they are fixed."""
        if self.ends == "periodic":
            return u
        return torch.nn.functional.pad(u, (0, zeros) * len(self.shape))

    def inside(self, u: Tensor) -> Tensor:
        """What lies on sites `[..., *shape]`, of a ring."""
        for axis, sites in zip(self.axes, self.shape, strict=True):
            u = u.narrow(axis, 0, sites)
        return u

    def forward(self, u: Tensor, axis: int) -> Tensor:
        """D u on a ring, `[..., *ring]`."""
        return (u.roll(-1, axis) - u) / self.spacing

    def backward(self, u: Tensor, axis: int) -> Tensor:
        """D^T u on a ring, `[..., *ring]`."""
        return (u.roll(1, axis) - u) / self.spacing

    def central(self, u: Tensor, axis: int) -> Tensor:
        """(u_{x+1} - u_{x-1})/(2 spacing) on sites `[..., *shape]`, zero outside of fixed ends."""
        ring = self.ring(u, 1)
        return self.inside(ring.roll(-1, axis) - ring.roll(1, axis)) / (2 * self.spacing)

    def laplacian(self, u: Tensor, axis: int) -> Tensor:
        """The second difference on sites `[..., *shape]`; nothing flows through fixed ends."""
        flow = self.forward(u, axis)
        if self.ends == "fixed":
            flow = torch.cat([flow.narrow(axis, 0, u.shape[axis] - 1), torch.zeros_like(flow.narrow(axis, 0, 1))], axis)
        return -self.backward(flow, axis)
