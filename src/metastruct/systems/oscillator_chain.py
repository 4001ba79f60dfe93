"""Chains of equal particles on a line that are joined by springs, x = (q_1..n, p_1..n).

    H = sum_i p_i^2/2 + sum_b V(d_b; mu),   d_b = q_i+1 - q_i

over the springs b: between two fixed ends, where q_0 = q_n+1 = 0, or around a ring. Starts are random in all modes:
positions and momenta are normal with the covariance of equal energies in all modes of the springs that the members have
for small motions, and then stretched until the energy is that of so many oscillators. What would leave a box is drawn
again.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np

from metastruct.systems.starts.start import Start
from metastruct.systems.system import Array, System, centred_box

WIDEST = 2.2  # half the box, in standard deviations of each component
HALVINGS = 60  # of the interval in which the stretch is sought


class ModeStarts(Start):
    """Starts that are random in all modes.

    Args:
        oscillators: n.
        energy: of each of them, as a mean.
    """

    def __init__(self, oscillators: int, energy: float):
        self.oscillators, self.energy = oscillators, energy

    def sample(self, system: System, generator: np.random.Generator, mu: Array, count: int) -> Array:
        assert isinstance(system, OscillatorChain)
        roots, starts = system.covariance_root(mu[None])[0], np.empty((0, system.state_dim))
        half = self.box(system, mu[None])[0, :, 1]
        while len(starts) < count:
            normal = generator.standard_normal((4 * count, 2, self.oscillators))
            momenta = system.balanced(normal[:, 1]) * np.sqrt(self.energy)
            drawn = np.concatenate([normal[:, 0] @ roots.T, momenta], axis=1)
            drawn *= self._stretch(system, drawn, mu)[:, None]
            starts = np.concatenate([starts, drawn[(np.abs(drawn) <= half).all(1)]])
        return starts[:count]

    def _stretch(self, system: System, x: Array, mu: Array) -> Array:
        """Factors `[count]` of states that give them their energy, by bisection: it grows along every ray."""
        low, high = np.zeros(len(x)), np.full(len(x), 8.0)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            below = system.energy((middle[:, None] * x)[None], mu[None])[0] < self.oscillators * self.energy
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return low

    def box(self, system: System, mu: Array) -> Array:
        assert isinstance(system, OscillatorChain)
        positions = np.sqrt(np.square(system.covariance_root(mu)).sum(-1))
        momenta = np.full_like(positions, np.sqrt(self.energy))
        half = WIDEST * np.concatenate([positions, momenta], axis=-1)
        return centred_box(np.zeros_like(half), half)


class OscillatorChain(System):
    """n particles of mass one; a family says what its springs are and whether its ends are fixed.

    Args:
        parameters: as of `System`.
        oscillators: n, at least 2.
        energy: of each at the start, as a mean, above 0.

    Raises:
        ValueError: as of `System`, there are too few particles, or they have no energy.
    """

    structure = "conservative"
    canonical = True
    fixed_ends: bool  # else the last particle is joined to the first

    def __init__(self, parameters: Mapping[str, Sequence[float]], oscillators: int, energy: float = 0.5):
        if oscillators < 2:
            raise ValueError(f"system.oscillators must be at least 2, got {oscillators}")
        if not energy > 0:
            raise ValueError(f"system.energy must be above 0, got {energy:g}")
        self.oscillators, self.typical = oscillators, energy
        numbers = range(1, oscillators + 1)
        self.state_names = (*(f"q{i}" for i in numbers), *(f"p{i}" for i in numbers))
        self.grid_axes = (0, oscillators)
        self.start = ModeStarts(oscillators, energy)
        super().__init__(parameters)

    @abstractmethod
    def spring(self, d: Array, mu: Array) -> tuple[Array, Array, Array]:
        """V, dV/dd and, at d = 0, the stiffness `[tasks]`, of springs stretched by d `[tasks, points, springs]`."""

    def stretches(self, q: Array) -> Array:
        """d of all springs, `[..., springs]`."""
        if self.fixed_ends:
            return np.diff(q, axis=-1, prepend=0.0, append=0.0)
        return np.roll(q, -1, axis=-1) - q

    def balanced(self, p: Array) -> Array:
        """Momenta p `[..., n]` without a common one where nothing holds the particles."""
        return p if self.fixed_ends else p - p.mean(-1, keepdims=True)

    def covariance_root(self, mu: Array) -> Array:
        """A `[tasks, n, n]`, A A^T the covariance of positions at half a mode's energy, but for the common motion."""
        differences = self.stretches(np.eye(self.oscillators)).T
        values, modes = np.linalg.eigh(differences.T @ differences)
        widths = np.where(values > 1e-9, 1 / np.sqrt(np.maximum(values / self.typical, 1e-9)), 0.0)
        *_, stiffness = self.spring(np.zeros((len(mu), 1, 1)), mu)
        return modes * widths / np.sqrt(stiffness)[:, None, None]

    def vector_field(self, x: Array, mu: Array) -> Array:
        q, p = np.split(x, 2, axis=-1)
        _, tension, _ = self.spring(self.stretches(q), mu)
        pull = np.diff(tension, axis=-1) if self.fixed_ends else tension - np.roll(tension, 1, axis=-1)
        return np.concatenate([p, pull], axis=-1)

    def energy(self, x: Array, mu: Array) -> Array:
        q, p = np.split(x, 2, axis=-1)
        energy: Array = (p**2 / 2).sum(-1) + self.spring(self.stretches(q), mu)[0].sum(-1)
        return energy
