"""Mechanics in coordinates that people measure, positions and velocities (deep Lagrangian nets, Lutter et al. 2019).

    dq/dt = v,   M(q) dv/dt = B(q) u - grad V(q) - C(q, v) v - D(q) v
    M = K K^T,   D = N N^T,   (C v)_i = sum_jk (d_k M_ij - d_i M_jk/2) v_j v_k
    E = v^T M v/2 + V,   dE/dt = -v^T D v + v^T B u

the equation of Euler and Lagrange of v^T M v/2 - V with friction and input; its balance is exact whatever the weights
and the codes are. Where nothing is known M, V, D and B have one common factor: energies are relative. With w = K^T v,

    C v = dK/dt w + K (dK/dt)^T v - grad_q |K^T v|^2/2

takes one tangent and one cotangent of the net of K, whatever the number of coordinates. What is known of M, V, D and B
is added to what nets give.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from metastruct.data.kinematics import contradictions
from metastruct.data.trajectory import Member
from metastruct.data.turns import unwound
from metastruct.data.units import Units
from metastruct.dynamics.chart import Chart
from metastruct.dynamics.dynamics import MakeNet, Scales
from metastruct.dynamics.known.inside import Inside
from metastruct.dynamics.known.known import Known
from metastruct.dynamics.ports import Ports
from metastruct.dynamics.triangular import Triangular, factor_of, solved, times
from metastruct.nets.net import Linearised
from metastruct.nets.site import Updates, under


class Place(NamedTuple):
    """States in units of the nets, `[..., tasks, points, coordinate]`, and what the nets see `[..., features]`."""

    y: Tensor
    w: Tensor
    features: Tensor


class Mechanical(Ports):
    """f(q, v) = (v, M^-1 (B u - grad V - C v - D v)), for what has positions and is seen with its velocities.

    The nets see y = (q - mean)/s and w = T v/s with s the spread of each position, one for an angle, and one time T:
    velocities share the scales of their positions, so that dq/dt = v on both sides.

    Args:
        mass: "full" K(q), "diagonal" K(q), "constant" K, or "known": what is known alone.
        friction: "none", "viscous" N, "rayleigh" N(q), or "known".
        drive: "constant" B, "state" B(q), or "known"; idle where there are no inputs.
        potential: "state" V(q), or "known".
        knowledge: makes what is known of M, V, D and B in the units of the data, to which nets add.
        angles: coordinates that are angles, numbers from 0: radians, of which the nets see sine and cosine.
        angle_sums: do they see those of sums and differences of two angles as well?
        shared: of potential, mass, friction and drive those whose sites have that word as their tag: they are shared by
            all tasks unless the modulation takes the tag.

    Raises:
        ValueError: the state has no even size, a word is not one of these, or it does not go with what is known.
    """

    scalar = "potential"
    constant = {"mass": "constant", "friction": "viscous", "drive": "constant"}
    spread: Tensor  # s [coordinate]
    clock: Tensor  # T
    strength: Tensor  # of all forces, that of the data where masses are about one

    def __init__(
        self,
        net: MakeNet,
        scales: Scales,
        mass: str = "full",
        friction: str = "viscous",
        drive: str = "constant",
        potential: str = "state",
        angles: Sequence[int] = (),
        angle_sums: bool = False,
        shared: Sequence[str] = (),
        knowledge: Callable[[], Known] | None = None,
    ):
        size = len(scales.state_mean)
        if size % 2:
            raise ValueError(f"mechanical dynamics needs a state (q, v) of even size, got {size}")
        self.coordinates = self.rows = self.kinematic = size // 2
        chart, self.turning = Chart(self.coordinates, angles, angle_sums), tuple(angles)
        factors = {
            "mass": Triangular(self.coordinates, diagonal=mass == "diagonal", definite=True),
            "friction": Triangular(self.coordinates),
        }
        self.features, self.entries = chart.features, {part: factor.entries for part, factor in factors.items()}
        forms = {"potential": potential, "mass": mass, "friction": friction, "drive": drive}
        super().__init__(net, scales, forms, shared)
        self.chart, self.factors = chart, torch.nn.ModuleDict(factors)
        position, velocity = scales.state_std.chunk(2)
        turns = torch.tensor([i in angles for i in range(self.coordinates)], device=position.device)
        spread = torch.where(turns, torch.ones_like(position), position)
        clock = (spread / velocity).log().mean().exp()
        self.register_buffer("spread", spread)
        self.register_buffer("clock", clock)
        acceleration = scales.derivative_std.chunk(2)[1] * clock.square() / spread
        self.register_buffer("strength", acceleration.log().mean().exp())
        self.knowledge = None if knowledge is None else self._inside(knowledge(), scales)
        for part, form in forms.items():
            if form == ("none" if self._knows(part) else "known"):
                there = ", ".join(self.knowledge.parts) if self.knowledge is not None else "none"
                raise ValueError(f"dynamics.{part}={form} does not go with known parts {there}; choose another word")
        if mass == "known" and not (torch.linalg.eigvalsh(self._inner.mass(0 * spread)) > 0).all():
            raise ValueError("known.mass must have eigenvalues above 0 with dynamics.mass=known; choose another word")

    def _inside(self, law: Known, scales: Scales) -> Inside:
        n, driving = self.coordinates, getattr(self, "input_scale", None)
        centre, spread, time = torch.zeros_like(self.spread), torch.ones_like(self.spread), 1.0
        factor = None if driving is None else torch.ones_like(driving)
        if (units := scales.units) is not None:
            centre, spread = (torch.as_tensor(part[:n]).to(centre) for part in (units.centre, units.spread))
            time = units.time
            factor = None if units.input_spread is None else torch.as_tensor(units.input_spread).to(centre)
        origin, length = centre + spread * self.state_mean[:n], spread * self.spread
        return Inside(law, origin, length, time * self.clock, self.strength, factor, driving)

    def _knows(self, part: str) -> bool:
        return self.knowledge is not None and part in self.knowledge.parts

    @property
    def _inner(self) -> Inside:
        assert self.knowledge is not None
        return self.knowledge

    @property
    def _unit(self) -> Tensor | float:
        """Of the energy, in that of the data; one where nothing is known, and energies are relative."""
        return 1.0 if self.knowledge is None else self.knowledge.unit

    @classmethod
    def commensurate(cls, units: Units, **settings: Any) -> Units:
        """Those of velocities follow from those of positions; rest stays rest, and no input no input; radians stay."""
        (centre, _), (spread, _) = np.split(units.centre, 2), np.split(units.spread.copy(), 2)
        spread[list(settings.get("angles", ()))] = 1.0
        centre, spread = np.concatenate([centre, 0 * centre]), np.concatenate([spread, spread / units.time])
        return replace(super().commensurate(units), centre=centre, spread=spread)

    @classmethod
    def read(
        cls, members: Sequence[Member], names: Sequence[str], strict: bool = False, **settings: Any
    ) -> tuple[tuple[Member, ...], tuple[str, ...]]:
        """Angles without jumps by whole turns; a line for each velocity that is not the slope of its position."""
        members, note = unwound(members, names, settings.get("angles", ()))
        return members, (*([note] if note else []), *contradictions(members, names, strict))

    def vector_field(self, x: Tensor, updates: Updates, inputs: Tensor | None = None) -> Tensor:
        place = self._place(x)
        force = 0 * place.w
        if "potential" in self.nets:
            force = -self.strength * self._slope(place, updates)
        if "friction" in self.nets:
            triangular, entries = self._resistance(place, updates)
            force = force - self.strength * triangular.times(entries, triangular.transposed(entries, place.w))
        if self.inputs:
            force = force + self._push(place, updates, inputs)
        if self._knows("potential"):
            force = force + self._inner.force(place.y)
        if self._knows("friction"):
            force = force - times(self._inner.friction(place.y, place.w), place.w)
        factor, bending = self._inertia(place, updates)
        acceleration = solved(factor, force - bending) * self.spread / self.clock.square()
        return torch.cat([x[..., self.coordinates :], acceleration], dim=-1)

    def energy(self, x: Tensor, updates: Updates) -> Tensor:
        place = self._place(x)
        energy = times(self._inertia(place, updates)[0].mT, place.w).square().sum(-1) / 2
        if "potential" in self.nets:
            potential = self.net_of("potential")(place.features, under(updates, "potential"))
            energy = energy + self.strength * potential.squeeze(-1)
        if self._knows("potential"):
            energy = energy + self._inner.energy(place.y)
        return self._unit * energy

    def powers(self, x: Tensor, updates: Updates, inputs: Tensor | None = None) -> tuple[Tensor, Tensor]:
        place, scale = self._place(x), self._unit / self.clock
        dissipated = supplied = torch.zeros_like(place.w[..., 0])
        if "friction" in self.nets:
            triangular, entries = self._resistance(place, updates)
            dissipated = scale * self.strength * triangular.transposed(entries, place.w).square().sum(-1)
        if self._knows("friction"):
            resistance = times(self._inner.friction(place.y, place.w), place.w)
            dissipated = dissipated + scale * (place.w * resistance).sum(-1)
        if self.inputs:
            supplied = scale * (place.w * self._push(place, updates, inputs)).sum(-1)
        return dissipated, supplied

    def mass(self, x: Tensor, updates: Updates) -> Tensor:
        """M `[..., tasks, points or 1, coordinate, coordinate]` in the units of the energy and of the velocities."""
        factor = self._inertia(self._place(x), updates)[0] * (self.clock / self.spread)[:, None]
        return self._unit * factor @ factor.mT

    def _place(self, x: Tensor) -> Place:
        q, v = x.split(self.coordinates, dim=-1)
        y = (q - self.state_mean[: self.coordinates]) / self.spread
        return Place(y, v * (self.clock / self.spread), self.chart(y))

    def _slope(self, place: Place, updates: Updates) -> Tensor:
        """grad V over its strength."""
        return self.chart.back(place.y, self.net_of("potential").gradient(place.features, under(updates, "potential")))

    def _push(self, place: Place, updates: Updates, inputs: Tensor | None) -> Tensor:
        """B u."""
        push = self.strength * self.driven(place.features, updates, inputs) if "drive" in self.nets else 0 * place.w
        if self._knows("drive"):
            push = push + self._inner.driven(place.y, self.checked(inputs))
        return push

    def _inertia(self, place: Place, updates: Updates) -> tuple[Tensor, Tensor]:
        """K with M = K K^T, and C v."""
        factor, bending = None, 0 * place.w
        if "mass" in self.nets:
            mass = self.numbers("mass", place.features, updates)
            triangular = self._triangular("mass")
            entries = triangular.of(mass.value)
            factor = triangular.square(entries)
            if self.forms["mass"] != "constant":
                bending = self._coriolis(place, mass, entries)
        if self._knows("mass"):
            total = self._inner.mass(place.y)
            factor = factor_of(total if factor is None else total + factor @ factor.mT)
            bending = bending + self._inner.coriolis(place.y, place.w)
        assert factor is not None
        return factor, bending

    def _resistance(self, place: Place, updates: Updates) -> tuple[Triangular, Tensor]:
        """N with D = N N^T, as its entries."""
        triangular = self._triangular("friction")
        return triangular, triangular.of(self.numbers("friction", place.features, updates).value)

    def _coriolis(self, place: Place, mass: Linearised, entries: Tensor) -> Tensor:
        """C v: how the momentum turns with the mass along the motion, less the slope of the kinetic energy."""
        triangular, w = self._triangular("mass"), place.w
        turning = triangular.along(mass.value, mass.along(self.chart.along(place.y, w)))
        u = triangular.transposed(entries, w)
        slope = self.chart.back(place.y, mass.back(triangular.back(mass.value, w, u)))
        return triangular.times(turning, u) + triangular.times(entries, triangular.transposed(turning, w)) - slope

    def _triangular(self, part: str) -> Triangular:
        return cast(Triangular, self.factors[part])
