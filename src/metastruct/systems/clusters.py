"""Clusters of atoms of two species, x = (x_1, y_1, z_1, ..., z_n, momenta in the same order).

    H = sum_i |p_i|^2/(2 m_i) + sum_(i<j) D_ij ((1 - exp(-a (|q_i - q_j| - 1)))^2 - 1)

m_i and D_ij go by the species of the atoms, and all pairs rest at the distance 1. Total momentum and angular momentum
are kept. Starts are solid: the most compact heap of equal atoms, fallen into the next minimum of the member, turned at
random, jittered and kicked, the centre of mass at rest in the origin. The energy of a kick is far below that of taking
one atom away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from scipy.optimize import OptimizeResult, minimize
from scipy.spatial.transform import Rotation

from metastruct.systems.starts.start import Start
from metastruct.systems.system import Array, System, centred_box

JITTER, HEAT = 0.05, 0.1  # of each coordinate; kinetic energy of an atom over the mean depth of a pair
DROPS = 20  # of atoms, from which a heap is made


class Solids(Start):
    """Warm solids of any orientation."""

    def sample(self, system: System, generator: np.random.Generator, mu: Array, count: int) -> Array:
        assert isinstance(system, Clusters)
        mass = system.masses(mu[None])[0, :, None]
        q = np.stack([turn.apply(system.rest(mu)) for turn in Rotation.random(count, rng=generator)])
        q = q + generator.uniform(-JITTER, JITTER, size=q.shape)
        p = generator.normal(size=q.shape) * np.sqrt(mass)
        q, v = (each - (mass * each).sum(1, keepdims=True) / mass.sum() for each in (q, p / mass))
        energy = (mass * v**2).sum((1, 2), keepdims=True) / 2
        v = v * np.sqrt(self._heat(system, mu[None])[0] / energy)
        return np.concatenate([q.reshape(count, -1), (mass * v).reshape(count, -1)], axis=1)

    def box(self, system: System, mu: Array) -> Array:
        assert isinstance(system, Clusters)
        mass, rest = system.masses(mu), np.stack([system.rest(member) for member in mu])
        centre = (mass[..., None] * rest).sum(1, keepdims=True) / mass.sum(1)[:, None, None]
        q = np.linalg.norm(rest - centre, axis=-1) + 2 * np.sqrt(3) * JITTER
        p = np.sqrt(2 * mass * self._heat(system, mu)[:, None])
        half = np.repeat(np.concatenate([q, p], axis=1), 3, axis=1)
        return centred_box(np.zeros_like(half), half)

    @staticmethod
    def _heat(system: Clusters, mu: Array) -> Array:
        """Kinetic energy of a start, `[tasks]`."""
        heat: Array = HEAT * system.atoms * mu[:, :3].mean(1)
        return heat


class Clusters(System):
    """n atoms in space; parameters D_aa, D_ab, D_bb (depths), a (inverse width), m_a and m_b (masses).

    Args:
        parameters: as of `System`.
        atoms: n, at least 3.
        second: how many of them, the last ones, are of the species b; at least 1 and below n.

    Raises:
        ValueError: as of `System`, or there are not so many atoms.
    """

    name = "clusters"
    parameter_names = ("D_aa", "D_ab", "D_bb", "a", "m_a", "m_b")
    positive = parameter_names
    structure = "conservative"
    canonical = True
    start = Solids()

    def __init__(self, parameters: Mapping[str, Sequence[float]], atoms: int = 7, second: int = 3):
        if atoms < 3 or not 0 < second < atoms:
            raise ValueError(
                f"system.atoms must be at least 3 and system.second of them at least 1, got {atoms} and {second}"
            )
        self.atoms, self.second = atoms, second
        numbers = range(1, atoms + 1)
        self.state_names = tuple(f"{half}{axis}{i}" for half in ("", "p") for i in numbers for axis in "xyz")
        super().__init__(parameters)

    @property
    def species(self) -> Array:
        """0 for a, 1 for b, `[atoms]`."""
        return (np.arange(self.atoms) >= self.atoms - self.second).astype(int)

    def masses(self, mu: Array) -> Array:
        """Of each atom, `[tasks, atoms]`."""
        masses: Array = mu[:, 4 + self.species]
        return masses

    def rest(self, mu: Array) -> Array:
        """Where the atoms of one member mu `[parameters]` rest, about their mean, `[atoms, 3]`."""
        return _rest(self.atoms, self.second, tuple(mu[:4].tolist()))

    def _depths(self, mu: Array) -> Array:
        """Of each pair, zero for i = j, `[tasks, atoms, atoms]`."""
        both = self.species[:, None] + self.species
        depths: Array = mu[:, both] * (1 - np.eye(self.atoms))
        return depths

    def _split(self, x: Array) -> tuple[Array, Array]:
        """Positions and momenta, `[..., atoms, 3]`."""
        q, p = (half.reshape(*half.shape[:-1], -1, 3) for half in np.split(x, 2, axis=-1))
        return q, p

    def _pairs(self, q: Array, mu: Array) -> tuple[Array, Array, Array]:
        """q_i - q_j `[tasks, points, atoms, atoms, 3]`, distances (1 for i = j), exp(-a (distance - 1))."""
        apart = q[..., :, None, :] - q[..., None, :, :]
        distance = np.sqrt((apart**2).sum(-1) + np.eye(self.atoms))
        return apart, distance, np.exp(-mu[:, None, None, None, 3] * (distance - 1))

    def vector_field(self, x: Array, mu: Array) -> Array:
        q, p = self._split(x)
        apart, distance, decay = self._pairs(q, mu)
        slope = 2 * self._depths(mu)[:, None] * mu[:, None, None, None, 3] * (1 - decay) * decay
        force = -((slope / distance)[..., None] * apart).sum(-2)
        speed = p / self.masses(mu)[:, None, :, None]
        return np.concatenate([speed.reshape(*x.shape[:-1], -1), force.reshape(*x.shape[:-1], -1)], axis=-1)

    def potential(self, q: Array, mu: Array) -> Array:
        """Zero for atoms far apart, of positions `[tasks, points, atoms, 3]`, `[tasks, points]`."""
        _, _, decay = self._pairs(q, mu)
        potential: Array = (self._depths(mu)[:, None] * ((1 - decay) ** 2 - 1)).sum((-2, -1)) / 2
        return potential

    def energy(self, x: Array, mu: Array) -> Array:
        q, p = self._split(x)
        kinetic: Array = ((p**2).sum(-1) / (2 * self.masses(mu)[:, None])).sum(-1)
        return kinetic + self.potential(q, mu)

    def momentum(self, x: Array, mu: Array) -> Array:
        momentum: Array = self._split(x)[1].sum(-2)
        return momentum

    def angular_momentum(self, x: Array, mu: Array) -> Array:
        q, p = self._split(x)
        return np.cross(q, p).sum(-2)


@lru_cache(maxsize=4096)
def _rest(atoms: int, second: int, shape: tuple[float, ...]) -> Array:
    """The minimum into which the heap of atoms of one depth falls."""
    q = _fallen(atoms, second, shape, _heap(atoms, second)).x.reshape(atoms, 3)
    return q - q.mean(0)  # type: ignore[no-any-return]


@lru_cache
def _heap(atoms: int, second: int) -> Array:
    """The lowest minimum of equal pairs that is found from drops at random, the same each time, `[3 * atoms]`."""
    generator, reach = np.random.default_rng(0), 0.5 * atoms ** (1 / 3) + 0.3
    drops = generator.uniform(-reach, reach, size=(DROPS, 3 * atoms))
    ends = [_fallen(atoms, second, (1.0, 1.0, 1.0, 2.5), drop) for drop in drops]
    return min(ends, key=lambda end: end.fun).x  # type: ignore[no-any-return]


def _fallen(atoms: int, second: int, shape: tuple[float, ...], start: Array) -> OptimizeResult:
    """The next minimum of the energy; positions are flat."""
    ranges = dict.fromkeys(Clusters.parameter_names, (1.0, 1.0))
    system, mu = Clusters(ranges, atoms, second), np.array([[*shape, 1.0, 1.0]])

    def energy(flat: Array) -> tuple[float, Array]:
        x = np.concatenate([flat, 0 * flat])[None, None]
        return float(system.energy(x, mu)[0, 0]), -system.vector_field(x, mu)[0, 0, len(flat) :]

    return minimize(energy, start, jac=True, method="BFGS")
