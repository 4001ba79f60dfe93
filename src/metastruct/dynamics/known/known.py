"""What is known of a mechanism beside what nets learn of it: its gravity, a motor constant, a mass that was weighed.

    M = M_known + K K^T,   V = V_known + net,   D = D_known + N N^T,   B = B_known + net

each in the units of the data, so that energies are no longer relative. Where a net is left out, `dynamics.mass=known`
and so on, the known part stands alone and is exact. The balance of power holds whatever is known: it asks for no more
than symmetric M > 0 and D >= 0.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from metastruct.dynamics.triangular import times

PARTS = ("potential", "mass", "friction", "drive")


class Known(nn.Module):
    """Parts of M dv/dt = B u - grad V - C v - D v as functions of torch; a sub-class overrides those that it knows.

    Positions q and velocities v are `[..., coordinate]` in the units of the data, and what is answered is of their
    precision and on their device.
    """

    @property
    def parts(self) -> tuple[str, ...]:
        """Those that it knows, of `PARTS`."""
        return tuple(part for part in PARTS if getattr(type(self), part) is not getattr(Known, part))

    def potential(self, q: Tensor) -> Tensor:
        """V `[...]`."""
        raise NotImplementedError

    def mass(self, q: Tensor) -> Tensor:
        """M `[..., coordinate, coordinate]`, symmetric and not negative."""
        raise NotImplementedError

    def friction(self, q: Tensor, v: Tensor) -> Tensor:
        """D `[..., coordinate, coordinate]`, symmetric and not negative: it takes v^T D v of the energy."""
        raise NotImplementedError

    def drive(self, q: Tensor) -> Tensor:
        """B `[..., coordinate, input]`."""
        raise NotImplementedError

    def slope(self, q: Tensor) -> Tensor:
        """grad V `[..., coordinate]`; a formula instead of this can be exported."""
        gradient: Tensor = torch.func.grad(lambda q: self.potential(q).sum())(q)
        return gradient

    def coriolis(self, q: Tensor, v: Tensor) -> Tensor:
        """C v `[..., coordinate]` of the mass, dM/dt v - grad (v^T M v)/2; a formula instead can be exported."""

        def momentum(q: Tensor) -> Tensor:
            return times(self.mass(q), v)

        turning: Tensor = torch.func.jvp(momentum, (q,), (v,))[1]
        slope: Tensor = torch.func.vjp(momentum, q)[1](v)[0]
        return turning - slope / 2
