"""Chains of n damped pendulums with one bath, x = (q_1..n, p_1..n, S), m = T = 1: how cost and error grow with n.

    dq_i = p_i,  dp_i = -dU/dq_i - gamma_i p_i,  dS = sum_i gamma_i p_i^2,  E = p^2/2 + U(q) + S,  entropy S
    U = sum_i (1 - cos q_i) + (k/2) sum_i (q_i+1 - q_i)^2
    L canonical in (q, p), zero elsewhere;  M = sum_i gamma_i v_i v_i^T,  v_i = (0, e_i, -p_i)

Starts have S = 0 and are uniform in {p^2/2 + U <= n/2, |q_i| <= pi}; the grid varies (q_1, p_1) over the section of
that set where everything else is zero (docs/method.md, section 5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from metastruct.systems.starts.under_cap import UnderEnergyCap
from metastruct.systems.system import Array, System, canonical_matrix, centred_box, outer


class ChainStarts(UnderEnergyCap):
    """Uniform under the energy cap, by rejection from an ellipsoid: a box of many dimensions lies mostly above the cap.

    The ellipsoid is p^2/2 + (2/pi^2) |q|^2 + (k/2) sum_i (q_i+1 - q_i)^2 <= n/2.

    Args:
        oscillators: n.
    """

    surplus = 8

    def __init__(self, oscillators: int):
        self.oscillators = oscillators

    def candidates(self, system: System, generator: np.random.Generator, mu: Array, count: int) -> Array:
        n = self.oscillators
        differences = np.diff(np.eye(n), axis=0)
        stiffness = 4 / np.pi**2 * np.eye(n) + mu[0, 0] * differences.T @ differences
        to_positions = np.linalg.inv(np.linalg.cholesky(stiffness))  # q = z @ this has q^T stiffness q = |z|^2
        z = generator.standard_normal((count, 2 * n))
        radius = np.sqrt(2 * system.energy_cap(mu)) * generator.uniform(size=(count, 1)) ** (1 / (2 * n))
        z *= radius / np.linalg.norm(z, axis=1, keepdims=True)
        return np.concatenate([z[:, :n] @ to_positions, z[:, n:], np.zeros((count, 1))], axis=1)

    def allowed(self, system: System, x: Array, mu: Array) -> Array:
        inside: Array = (np.abs(x[:, : self.oscillators]) <= np.pi).all(1)
        return super().allowed(system, x, mu) & inside

    def grid_box(self, system: System, mu: Array) -> Array:
        box, cap = self.box(system, mu), system.energy_cap(mu)
        stiffness = mu[:, 0] * (self.oscillators > 1)
        low, high = 0 * cap, box[:, 0, 1].copy()
        for _ in range(60):  # bisection of 1 - cos q_1 + (k/2) q_1^2 = cap
            middle = (low + high) / 2
            below = 1 - np.cos(middle) + stiffness / 2 * middle**2 <= cap
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        box[:, 0] = np.stack([-low, low], -1)
        return box


class DampedChain(System):
    """n coupled pendulums with friction; parameters k (coupling) and gamma1 .. gamma_n.

    Args:
        parameters: ranges of k and of each gamma_i, or one range `gamma` for all of them.
        oscillators: n.

    Raises:
        ValueError: as of `System`, or there is no oscillator.
    """

    name = "damped_chain"
    structure = "metriplectic"
    canonical = False
    bath = True

    def __init__(self, parameters: Mapping[str, Sequence[float]], oscillators: int = 2):
        if oscillators < 1:
            raise ValueError(f"system.oscillators must be at least 1, got {oscillators}")
        self.oscillators = oscillators
        numbers = range(1, oscillators + 1)
        self.state_names = (*(f"q{i}" for i in numbers), *(f"p{i}" for i in numbers), "S")
        self.parameter_names = ("k", *(f"gamma{i}" for i in numbers))
        self.not_negative = self.parameter_names
        self.grid_axes = (0, oscillators)
        self.start = ChainStarts(oscillators)
        if "gamma" in parameters:
            shared = {f"gamma{i}": parameters["gamma"] for i in numbers}
            parameters = shared | {name: ends for name, ends in parameters.items() if name != "gamma"}
        super().__init__(parameters)

    def _split(self, x: Array) -> tuple[Array, Array]:
        return x[..., : self.oscillators], x[..., self.oscillators : -1]

    def vector_field(self, x: Array, mu: Array) -> Array:
        q, p = self._split(x)
        k, gamma = mu[:, None, :1], mu[:, None, 1:]
        pull = np.diff(q, axis=-1, prepend=q[..., :1], append=q[..., -1:])  # q_i+1 - q_i, zero at both ends
        force = -np.sin(q) + k * np.diff(pull, axis=-1)
        return np.concatenate([p, force - gamma * p, (gamma * p**2).sum(-1, keepdims=True)], axis=-1)

    def energy(self, x: Array, mu: Array) -> Array:
        q, p = self._split(x)
        coupling = mu[:, :1] / 2 * (np.diff(q, axis=-1) ** 2).sum(-1)
        return (p**2 / 2 + 1 - np.cos(q)).sum(-1) + coupling + x[..., -1]

    def entropy(self, x: Array, mu: Array) -> Array:
        return x[..., -1]

    def poisson(self, x: Array, mu: Array) -> Array:
        return canonical_matrix(x, pairs=self.oscillators)

    def friction(self, x: Array, mu: Array) -> Array:
        _, p = self._split(x)
        directions = np.broadcast_to(np.eye(self.state_dim)[self.oscillators : -1], (*p.shape, self.state_dim)).copy()
        directions[..., -1] = -p
        gamma = np.broadcast_to(mu[:, None, 1:], p.shape)
        return outer(*((gamma[..., i], directions[..., i, :]) for i in range(self.oscillators)))

    def energy_cap(self, mu: Array) -> Array:
        return np.full(len(mu), self.oscillators / 2)

    def cap_box(self, mu: Array) -> Array:
        # 1 - cos q >= 2 q^2/pi^2 for |q| <= pi
        cap = self.energy_cap(mu)
        ends = np.minimum(np.pi * np.sqrt(cap / 2), np.pi), np.sqrt(2 * cap), 0 * cap
        half = np.repeat(np.stack(ends, -1), [self.oscillators, self.oscillators, 1], axis=-1)
        return centred_box(np.zeros_like(half), half)
