"""Bodies in a plane that attract each other, x = (x_1, y_1, ..., x_n, y_n, momenta in the same order).

    H = sum_i |p_i|^2/(2 m_i) - g sum_(i<j) m_i m_j/sqrt(|q_i - q_j|^2 + s^2)

Total momentum and angular momentum are kept. Starts are rings: bodies about a regular polygon, jittered, turning at a
share of the speed at which attraction holds a ring of their mean mass, the centre of mass at rest in the origin; what
leaves a box is drawn again. The energy of such a ring is negative: it is bound. Motion is chaotic after some turns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from metastruct.systems.starts.start import Start
from metastruct.systems.system import Array, System, centred_box

RADIUS, JITTER, KICK = 1.5, 0.3, 0.2  # of a ring; of each coordinate; of each velocity in units of that of the ring
SHARE = (0.6, 1.0)  # of the speed of a ring that stays


class Rings(Start):
    """Jittered rings that turn.

    Args:
        bodies: n.
    """

    def __init__(self, bodies: int):
        self.bodies = bodies

    def _speed(self, mu: Array) -> Array:
        """Of each body of a ring of their mean mass that stays, `[tasks]`."""
        mass, coupling = mu[:, :-1].mean(-1), mu[:, -1]
        chords = 2 * RADIUS * np.sin(np.pi * np.arange(1, self.bodies) / self.bodies)
        return np.sqrt(coupling * mass * RADIUS * (chords / (2 * RADIUS) / chords**2).sum())

    def sample(self, system: System, generator: np.random.Generator, mu: Array, count: int) -> Array:
        half, starts = self.box(system, mu[None])[0, :, 1], np.empty((0, system.state_dim))
        while len(starts) < count:
            drawn = self._drawn(generator, mu, 4 * count)
            starts = np.concatenate([starts, drawn[(np.abs(drawn) <= half).all(1)]])
        return starts[:count]

    def _drawn(self, generator: np.random.Generator, mu: Array, count: int) -> Array:
        n, masses, speed = self.bodies, mu[None, :-1, None], self._speed(mu[None])[0]
        angles = 2 * np.pi * (np.arange(n) / n + generator.uniform(size=(count, 1)))
        out = np.stack([np.cos(angles), np.sin(angles)], -1)
        along = np.stack([-out[..., 1], out[..., 0]], -1) * generator.choice([-1.0, 1.0], size=(count, 1, 1))
        q = RADIUS * out + generator.uniform(-JITTER, JITTER, size=out.shape)
        v = generator.uniform(*SHARE, size=(count, 1, 1)) * along + generator.uniform(-KICK, KICK, size=out.shape)
        q, v = (each - (masses * each).sum(1, keepdims=True) / masses.sum() for each in (q, v))
        return np.concatenate([q.reshape(count, -1), (speed * masses * v).reshape(count, -1)], axis=1)

    def box(self, system: System, mu: Array) -> Array:
        mass, corners = mu[:, :-1], np.exp(2j * np.pi * np.arange(self.bodies) / self.bodies)
        reach = np.abs(corners - (mass @ corners / mass.sum(-1))[:, None])  # from the centre of mass of a regular ring
        q, p = RADIUS * reach + JITTER, self._speed(mu)[:, None] * mass * (SHARE[1] * reach + KICK)
        half = np.concatenate([np.repeat(q, 2, axis=1), np.repeat(p, 2, axis=1)], axis=1)
        return centred_box(np.zeros_like(half), half)


class Bodies(System):
    """n bodies in a plane; parameters m1 .. mn (masses) and g (coupling).

    Args:
        parameters: ranges of each mass, or one range `m` for all of them, and of g.
        bodies: n, at least 2.
        softening: s.

    Raises:
        ValueError: as of `System`, or a size is not positive.
    """

    name = "bodies"
    structure = "conservative"
    canonical = True

    def __init__(self, parameters: Mapping[str, Sequence[float]], bodies: int = 5, softening: float = 0.2):
        if bodies < 2 or not softening > 0:
            raise ValueError(f"system.bodies must be at least 2 and softening above 0, got {bodies} and {softening}")
        self.bodies, self.softening = bodies, softening
        numbers = range(1, bodies + 1)
        self.state_names = tuple(f"{half}{axis}{i}" for half in ("", "p") for i in numbers for axis in "xy")
        self.parameter_names = (*(f"m{i}" for i in numbers), "g")
        self.positive = self.parameter_names
        self.start = Rings(bodies)
        if "m" in parameters:
            shared = {f"m{i}": parameters["m"] for i in numbers}
            parameters = shared | {name: ends for name, ends in parameters.items() if name != "m"}
        super().__init__(parameters)

    def _split(self, x: Array) -> tuple[Array, Array]:
        """Positions and momenta, `[..., bodies, 2]`."""
        q, p = (half.reshape(*half.shape[:-1], -1, 2) for half in np.split(x, 2, axis=-1))
        return q, p

    def _pairs(self, q: Array, mu: Array) -> tuple[Array, Array, Array]:
        """q_i - q_j `[tasks, points, bodies, bodies, 2]`, softened distances, and g m_i m_j, zero for i = j."""
        apart = q[..., :, None, :] - q[..., None, :, :]
        mass = mu[:, :-1]
        strength = mu[:, -1, None, None] * mass[:, :, None] * mass[:, None, :] * (1 - np.eye(self.bodies))
        return apart, np.sqrt((apart**2).sum(-1) + self.softening**2), strength[:, None]

    def vector_field(self, x: Array, mu: Array) -> Array:
        q, p = self._split(x)
        apart, distance, strength = self._pairs(q, mu)
        force = -((strength / distance**3)[..., None] * apart).sum(-2)
        speed = p / mu[:, None, :-1, None]
        return np.concatenate([speed.reshape(*x.shape[:-1], -1), force.reshape(*x.shape[:-1], -1)], axis=-1)

    def energy(self, x: Array, mu: Array) -> Array:
        q, p = self._split(x)
        _, distance, strength = self._pairs(q, mu)
        kinetic = ((p**2).sum(-1) / (2 * mu[:, None, :-1])).sum(-1)
        energy: Array = kinetic - (strength / distance).sum((-2, -1)) / 2
        return energy

    def momentum(self, x: Array, mu: Array) -> Array:
        return self._split(x)[1].sum(-2)

    def angular_momentum(self, x: Array, mu: Array) -> Array:
        q, p = self._split(x)
        return (q[..., 0] * p[..., 1] - q[..., 1] * p[..., 0]).sum(-1)
