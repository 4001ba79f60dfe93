"""Cahn-Hilliard fields: u_t = m (u^3 - u - e^2 u_xx)_xx, two phases that part and keep the mass.

    F = sum_x e^2 (D u)^2/2 + (u^2 - 1)^2/4,   u_t = -m D^T D dF/du

F never rises, and sum u stays as it is. Interfaces at rest are those of Allen-Cahn fields.
"""

from __future__ import annotations

from metastruct.systems.allen_cahn import AllenCahn
from metastruct.systems.system import Array


class CahnHilliard(AllenCahn):
    """A field u on a ring, phases -1 and 1; parameters m (mobility) and e (width of an interface)."""

    name = "cahn_hilliard"

    def vector_field(self, x: Array, mu: Array) -> Array:
        return mu[:, None, :1] * self.bend(self.potential(x, mu))
