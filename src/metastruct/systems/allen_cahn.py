"""Allen-Cahn fields: u_t = m (e^2 u_xx - u^3 + u), two phases whose interfaces move to become shorter.

    F = sum_x e^2 (D u)^2/2 + (u^2 - 1)^2/4,   u_t = -m dF/du

so F never rises. In the continuum an interface at rest is u = tanh(x/(sqrt(2) e)).
"""

from __future__ import annotations

from metastruct.systems.field import Field, Waves
from metastruct.systems.starts.start import Start
from metastruct.systems.system import Array


class AllenCahn(Field):
    """A field u on a ring, phases -1 and 1; parameters m (mobility) and e (width of an interface)."""

    name = "allen_cahn"
    parameter_names = ("m", "e")
    positive = ("m", "e")
    structure = "general"

    def starting(self) -> Start:
        return Waves(self.sites, (1.0,), modes=4)

    def free_energy(self, x: Array, mu: Array) -> Array:
        """F, `[tasks, points]`."""
        density: Array = mu[:, None, 1:] ** 2 * self.slope(x) ** 2 / 2 + (x**2 - 1) ** 2 / 4
        return density.sum(-1)

    def potential(self, x: Array, mu: Array) -> Array:
        """dF/du, the chemical potential, `[tasks, points, sites]`."""
        return x**3 - x - mu[:, None, 1:] ** 2 * self.bend(x)

    def vector_field(self, x: Array, mu: Array) -> Array:
        return -mu[:, None, :1] * self.potential(x, mu)
