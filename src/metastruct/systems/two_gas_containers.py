"""Two ideal gases on the two sides of a piston that conducts heat, x = (q, p, S1, S2).

    dq = p/m,  dp = (2/3)(E1/q - E2/(2 - q)),  dS1 = (a/T1)(1/T1 - 1/T2),  dS2 = -(a/T2)(1/T1 - 1/T2)
    E_i = q_i^(-2/3) exp(2 S_i/3) with q_1 = q, q_2 = 2 - q;  T_i = 2 E_i/3;  E = p^2/(2m) + E1 + E2,  entropy S1 + S2
    L canonical in (q, p), zero elsewhere;  M = a v v^T,  v = (0, 0, 1/T1, -1/T2)

Starts have no energy cap: q ~ U[0.6, 1.4], p ~ U[-1, 1], E1, E2 ~ U[1, 3]. The grid varies q and p, with S_i where
E_i = 2 (docs/method.md, section 5; the law is that of Shang and Ottinger 2020).
"""

from __future__ import annotations

import numpy as np

from metastruct.systems.starts.start import Start
from metastruct.systems.system import Array, System, canonical_matrix, columns, outer

POSITIONS, MOMENTA, ENERGIES, GRID_ENERGY = (0.6, 1.4), (-1.0, 1.0), (1.0, 3.0), 2.0


class GasStarts(Start):
    """Uniform in q, p and the energies of both gases, from which their entropies follow."""

    def sample(self, system: System, generator: np.random.Generator, mu: Array, count: int) -> Array:
        q, p = generator.uniform(*POSITIONS, count), generator.uniform(*MOMENTA, count)
        e1, e2 = generator.uniform(*ENERGIES, (2, count))
        return np.stack([q, p, entropy_of(e1, q), entropy_of(e2, 2 - q)], axis=-1)

    def box(self, system: System, mu: Array) -> Array:
        # S_i rises with E_i and with q_i, and both q_i lie in the same interval, which is symmetric about 1
        ends = [entropy_of(energy, position) for energy, position in zip(ENERGIES, POSITIONS, strict=True)]
        return np.tile(np.array([POSITIONS, MOMENTA, ends, ends]), (len(mu), 1, 1))

    def on_grid(self, system: System, x: Array, mu: Array) -> Array:
        q, p = x[..., 0], x[..., 1]
        return np.stack([q, p, entropy_of(GRID_ENERGY, q), entropy_of(GRID_ENERGY, 2 - q)], axis=-1)


class TwoGasContainers(System):
    """Two gases that exchange volume and heat; parameters m (mass of the piston) and a (conductivity)."""

    name = "two_gas_containers"
    state_names = ("q", "p", "S1", "S2")
    parameter_names = ("m", "a")
    positive = ("m", "a")
    structure = "metriplectic"
    canonical = False
    start = GasStarts()

    def vector_field(self, x: Array, mu: Array) -> Array:
        m, a = columns(mu)
        (e1, e2), q = energies(x), x[..., 0]
        t1, t2 = 2 * e1 / 3, 2 * e2 / 3
        flow = a * (1 / t1 - 1 / t2)
        return np.stack([x[..., 1] / m, 2 / 3 * (e1 / q - e2 / (2 - q)), flow / t1, -flow / t2], axis=-1)

    def energy(self, x: Array, mu: Array) -> Array:
        m, _ = columns(mu)
        return x[..., 1] ** 2 / (2 * m) + sum(energies(x))

    def entropy(self, x: Array, mu: Array) -> Array:
        return x[..., 2] + x[..., 3]

    def poisson(self, x: Array, mu: Array) -> Array:
        return canonical_matrix(x, pairs=1)

    def friction(self, x: Array, mu: Array) -> Array:
        _, a = columns(mu)
        e1, e2 = energies(x)
        v = np.stack([0 * e1, 0 * e1, 3 / (2 * e1), -3 / (2 * e2)], axis=-1)
        return outer((a + 0 * e1, v))


def energies(x: Array) -> tuple[Array, Array]:
    """E1 and E2 at the states x `[..., 4]`."""
    q, s1, s2 = x[..., 0], x[..., 2], x[..., 3]
    return np.cbrt(q) ** -2 * np.exp(2 * s1 / 3), np.cbrt(2 - q) ** -2 * np.exp(2 * s2 / 3)


def entropy_of(energy: Array | float, position: Array | float) -> Array:
    """S of a gas of this energy in this volume, the inverse of E = q^(-2/3) exp(2 S/3)."""
    return np.asarray(1.5 * np.log(energy) + np.log(position))
