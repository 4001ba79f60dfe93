"""Fields on a periodic line: the law of a partial differential equation at n sites, a distance dx apart.

    D u = (u_{x+1} - u_x)/dx,   D^T D u = -(u_{x+1} - 2 u_x + u_{x-1})/dx^2,   C u = (u_{x+1} - u_{x-1})/(2 dx)

An energy is the sum over sites of its density, the integral in units of dx, so that its gradient is the functional
derivative. The law on the lattice is the truth; solutions of the continuum differ from it by O(dx^2).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np

from metastruct.systems.starts.start import Start
from metastruct.systems.system import Array, System


class Field(System):
    """Fields of a family, one after the other in a state.

    Args:
        parameters: as of `System`.
        sites: n.
        spacing: dx.

    Raises:
        ValueError: as of `System`, or there are fewer than three sites, or no distance between them.
    """

    fields: tuple[str, ...] = ("u",)
    canonical = False
    gridded = True

    def __init__(self, parameters: Mapping[str, Sequence[float]], sites: int = 128, spacing: float = 0.15625):
        if sites < 3:
            raise ValueError(f"system.sites must be at least 3, got {sites}")
        if not spacing > 0:
            raise ValueError(f"system.spacing must be above 0, got {spacing}")
        self.sites, self.spacing = sites, spacing
        self.state_names = tuple(f"{field}{site}" for field in self.fields for site in range(1, sites + 1))
        self.grid_axes = (0, sites if len(self.fields) > 1 else sites // 2)
        super().__init__(parameters)
        self.start = self.starting()

    @abstractmethod
    def starting(self) -> Start:
        """The start law for these sites."""

    @property
    def length(self) -> float:
        """Of the ring."""
        return self.sites * self.spacing

    @property
    def places(self) -> Array:
        """x of the sites, `[sites]`."""
        return np.arange(self.sites) * self.spacing

    def slope(self, u: Array) -> Array:
        """D u of fields `[..., sites]`."""
        return (np.roll(u, -1, -1) - u) / self.spacing

    def bend(self, u: Array) -> Array:
        """-D^T D u, the second derivative, of fields `[..., sites]`."""
        return (np.roll(u, -1, -1) - 2 * u + np.roll(u, 1, -1)) / self.spacing**2

    def central(self, u: Array) -> Array:
        """C u, which is skew, of fields `[..., sites]`."""
        return (np.roll(u, -1, -1) - np.roll(u, 1, -1)) / (2 * self.spacing)


class Waves(Start):
    """Smooth random waves, the largest value of each field between half its amplitude and all of it.

    u = A c f/max|f|,  f = sum_m g_m cos(2 pi m x/L + phase_m),  c ~ U[0.5, 1], g_m normal, phases uniform; the box is
    the amplitude on both sides of each field's middle.

    Args:
        sites: n.
        amplitudes: A of each field.
        modes: largest m.
    """

    def __init__(self, sites: int, amplitudes: Sequence[float], modes: int):
        self.sites, self.amplitudes, self.modes = sites, tuple(amplitudes), modes

    def sample(self, system: System, generator: np.random.Generator, mu: Array, count: int) -> Array:
        numbers = np.arange(1, self.modes + 1)
        angles = 2 * np.pi * numbers[:, None] * np.arange(self.sites) / self.sites
        shape = count, len(self.amplitudes), self.modes
        phases, sizes = generator.uniform(0, 2 * np.pi, shape), generator.standard_normal(shape)
        waves = (sizes[..., None] * np.cos(angles + phases[..., None])).sum(-2)
        scale = generator.uniform(0.5, 1.0, shape[:2]) * self.amplitudes / np.abs(waves).max(-1)
        return (scale[..., None] * waves).reshape(count, -1)

    def box(self, system: System, mu: Array) -> Array:
        half = np.repeat(self.amplitudes, self.sites)
        return np.tile(np.stack([-half, half], -1), (len(mu), 1, 1))
