"""Ground truth: a family of systems that share one law and differ in physical parameters mu.

A law is written once, for all tasks at a time: states are `[tasks, points, state]`, parameters `[tasks, parameters]`.
`columns(mu)` splits the parameters into `[tasks, 1]` arrays that broadcast against `[tasks, points]` coordinates.
All quantities are non-dimensional. Nothing that learns ever reads mu.

A family must give its vector field and name a start law; everything else is a capability, which `gives` tells of. A
conservative system gives its energy E, a metriplectic one also its entropy S, its Poisson matrix L and its friction
matrix M, oracles of the law; a general one gives none of them:

    dx/dt = L grad E + M grad S,   L = -L^T,   M = M^T >= 0,   L grad S = 0,   M grad E = 0
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from metastruct.systems.capability import CAPABILITIES
from metastruct.systems.starts.start import Array, Start


class System(ABC):
    """A family of dynamical systems dx/dt = f(x; mu).

    Args:
        parameters: name of each parameter, in the order of `parameter_names`, -> `[low, high]` of its uniform law.

    Raises:
        ValueError: a parameter is missing or unknown, or its range is empty.
    """

    name: str
    state_names: tuple[str, ...]
    input_names: tuple[str, ...] = ()  # of the signals u(t) that drive the members
    held_inputs: bool = False  # does an input stay as it is from one instant to the next? Else it goes along a line
    parameter_names: tuple[str, ...]
    positive: tuple[str, ...] = ()  # the parameters that must be above zero
    not_negative: tuple[str, ...] = ()  # those that may be zero as well, such as a friction
    structure: str  # "conservative", "metriplectic" or "general"
    canonical: bool  # are the coordinates (q, p), positions first?
    mechanical: bool = False  # are they (q, v), positions first and v = dq/dt?
    bath: bool = False  # are they (q, p, S), with the entropy of one bath of constant temperature?
    storing: bool = False  # are they those of stores of energy, as (q, p) are?
    gridded: bool = False  # are they the values of fields on the sites of a grid?
    start: Start  # where initial states lie, unless a user chooses another law
    grid_axes: tuple[int, int] = (0, 1)  # the components that the evaluation grid varies

    def __init__(self, parameters: Mapping[str, Sequence[float]]):
        if set(parameters) != set(self.parameter_names):
            raise ValueError(
                f"{self.name} has the parameters {', '.join(self.parameter_names)}, got {', '.join(parameters)}; "
                "give each a [low, high] range in system.parameters"
            )
        try:
            self.ranges = np.array([[number(end) for end in parameters[name]] for name in self.parameter_names])
        except (TypeError, ValueError):
            raise ValueError(
                f"each range of {self.name} must be two numbers [low, high], got {dict(parameters)}"
            ) from None
        if self.ranges.ndim != 2 or self.ranges.shape[1:] != (2,) or not (self.ranges[:, 0] <= self.ranges[:, 1]).all():
            raise ValueError(f"each range of {self.name} must be [low, high] with low <= high, got {dict(parameters)}")
        if not np.isfinite(self.ranges).all():
            raise ValueError(f"each range of {self.name} must be finite, got {dict(parameters)}")
        for name in self.positive:
            if not float(parameters[name][0]) > 0:
                raise ValueError(f"{name} of {self.name} must be above 0, got the range {list(parameters[name])}")
        for name in self.not_negative:
            if not float(parameters[name][0]) >= 0:
                raise ValueError(f"{name} of {self.name} must be 0 or more, got the range {list(parameters[name])}")

    @property
    def state_dim(self) -> int:
        """Components of a state."""
        return len(self.state_names)

    @property
    def families(self) -> int:
        """How many families this is; a split holds so many times the tasks that are asked for."""
        return 1

    @property
    def laws(self) -> tuple[type, ...]:
        """The classes whose source says what the members do and where they start."""
        return type(self), *self.start.laws

    @property
    def starts(self) -> tuple[Start, ...]:
        """The start law of each family."""
        return (self.start,)

    def gives(self, capability: str) -> bool:
        """Does it have one of the `CAPABILITIES`?"""
        return getattr(type(self), capability) is not getattr(System, capability)

    @property
    def provides(self) -> dict[str, Any]:
        """What it says of itself, in words that other pieces may need."""
        words = {"law": True, "plane": True, "structure": self.structure, "canonical": self.canonical}
        words |= {"mechanical": self.mechanical, "stores": self.storing or self.canonical}
        words |= {"bath": self.bath, "grid": self.gridded}
        return words | {capability: self.gives(capability) for capability in CAPABILITIES}

    def started_by(self, start: Start, count: int = 1) -> Self:
        """The same family with another start law, which can give so many starts of each member.

        Raises:
            ValueError: it cannot.
        """
        start.check(self, count)
        other = copy.copy(self)
        other.start = start.fitted(self)
        return other

    def domain_names(self, mu: Array) -> list[str]:
        """The family of each member, of parameters `[members, parameters]`."""
        return [self.name] * len(mu)

    def described(self, mu: Array) -> list[str]:
        """The parameters `[members, parameters]` of each member, for people."""
        pairs = (zip(self.parameter_names, member, strict=True) for member in mu)
        return [", ".join(f"{name} = {value:.2f}" for name, value in pair) for pair in pairs]

    def corners(self) -> Array:
        """Members `[2, parameters]` at the lower and at the upper ends of all ranges."""
        return self.ranges.T

    @abstractmethod
    def vector_field(self, x: Array, mu: Array) -> Array:
        """dx/dt, `[tasks, points, state]`, at the states x of the members mu."""

    def driven_field(self, x: Array, mu: Array, inputs: Array) -> Array:
        """dx/dt under inputs `[tasks, points, input]`; the same where there are none."""
        return self.vector_field(x, mu)

    def sample_inputs(self, generator: np.random.Generator, times: Array) -> Array:
        """u `[times, input]` of one trajectory, drawn at its instants."""
        return np.zeros((len(times), 0))

    def energy(self, x: Array, mu: Array) -> Array:
        """Total energy, `[tasks, points]`.

        Raises:
            TypeError: the system has none.
        """
        raise self._lacks("energy")

    def entropy(self, x: Array, mu: Array) -> Array:
        """Total entropy, `[tasks, points]`; errors as of `energy`."""
        raise self._lacks("entropy")

    def poisson(self, x: Array, mu: Array) -> Array:
        """Poisson matrix L, `[tasks, points, state, state]`; errors as of `energy`."""
        raise self._lacks("poisson")

    def friction(self, x: Array, mu: Array) -> Array:
        """Friction matrix M, `[tasks, points, state, state]`; errors as of `energy`."""
        raise self._lacks("friction")

    def momentum(self, x: Array, mu: Array) -> Array:
        """Total momentum, which the law keeps, `[tasks, points, axes]`; errors as of `energy`."""
        raise self._lacks("momentum")

    def angular_momentum(self, x: Array, mu: Array) -> Array:
        """Total angular momentum, which the law keeps, `[tasks, points]`; errors as of `energy`."""
        raise self._lacks("angular_momentum")

    def energy_cap(self, mu: Array) -> Array:
        """Largest energy of an initial state, `[tasks]`; errors as of `energy`."""
        raise self._lacks("energy_cap")

    def cap_box(self, mu: Array) -> Array:
        """Box `[tasks, state, 2]` that bounds the initial states under the energy cap; errors as of `energy`."""
        raise self._lacks("cap_box")

    def _lacks(self, capability: str) -> TypeError:
        lacking = CAPABILITIES[capability]
        return TypeError(f"{self.name} is {self.structure} and gives no {lacking.label}; ask {lacking.owner}")

    def box(self, mu: Array) -> Array:
        """Box `[tasks, state, 2]` that bounds the initial states."""
        return self.start.box(self, mu)

    def grid_box(self, mu: Array) -> Array:
        """Box `[tasks, state, 2]` of the evaluation grid."""
        return self.start.grid_box(self, mu)

    def on_grid(self, x: Array, mu: Array) -> Array:
        """States x `[tasks, points, state]` of the grid, with the components beside `grid_axes` as the starts want."""
        return self.start.on_grid(self, x, mu)

    def sample_parameters(self, generator: np.random.Generator, task: int | None = None) -> Array:
        """One member's mu, `[parameters]`, uniform and independent; `task`, its number, matters to several families."""
        return generator.uniform(self.ranges[:, 0], self.ranges[:, 1])

    def sample_starts(self, generator: np.random.Generator, mu: Array, count: int) -> Array:
        """`[count, state]` initial states of one member mu `[parameters]`."""
        return self.start.sample(self, generator, mu, count)


def number(value: object) -> float:
    """An end of a range.

    Raises:
        TypeError: it is no number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"must be a number, got {value!r}")
    return float(value)


def columns(mu: Array) -> list[Array]:
    """The parameters `[tasks, parameters]` as one `[tasks, 1]` array each."""
    return [mu[:, i : i + 1] for i in range(mu.shape[1])]


def outer(*terms: tuple[Array, Array]) -> Array:
    """Sum of c v v^T over terms c `[tasks, points]`, v `[tasks, points, state]`."""
    return sum((c[..., None, None] * (v[..., :, None] * v[..., None, :]) for c, v in terms), np.zeros(()))


def canonical_matrix(like: Array, pairs: int) -> Array:
    """J = [[0, 1], [-1, 0]] on the first 2 `pairs` components (q, p) and zero elsewhere, at each state of `like`."""
    size = like.shape[-1]
    matrix = np.eye(size, k=pairs) - np.eye(size, k=-pairs)
    matrix[2 * pairs :], matrix[:, 2 * pairs :] = 0.0, 0.0
    return np.broadcast_to(matrix, (*like.shape, size))


def centred_box(centre: Array, half_widths: Array) -> Array:
    """`[tasks, state, 2]` from centre and half widths, both `[tasks, state]`."""
    return np.stack([centre - half_widths, centre + half_widths], axis=-1)
