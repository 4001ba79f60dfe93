"""Several families at once, to be learned by one base: the domain of a member is never told to a model.

A member's parameters are the index of its domain, then the domain's own parameters, then zeros up to the longest.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from metastruct.systems.capability import CAPABILITIES
from metastruct.systems.starts.start import Start
from metastruct.systems.system import Array, System


class MultiDomain(System):
    """The union of families of equal dimension, structure, capabilities and coordinates (claim C7 of docs/method.md).

    Task k belongs to domain k modulo the number of domains, so that domains are equally many.

    Args:
        domains: names of the families, in order; `{name: settings}` where some settings are not those of its yaml.
        members: the families by name, with their settings.

    Raises:
        ValueError: fewer than two domains, one twice, or two that do not go together.
    """

    name = "multi_domain"

    def __init__(self, domains: Sequence[str | Mapping[str, Any]], members: Mapping[str, System]):
        names = [entry if isinstance(entry, str) else next(iter(entry)) for entry in domains]
        if len(set(names)) != len(names) or len(names) < 2:
            raise ValueError(f"multi_domain needs two or more different domains, got {names}")
        self.domains = [members[name] for name in names]
        if driven := [domain.name for domain in self.domains if domain.input_names]:
            raise ValueError(
                f"multi_domain needs domains that nothing drives, got {', '.join(driven)}; name others in "
                "system.domains"
            )
        first = self.domains[0]
        for other in self.domains[1:]:
            for (word, value), rival in zip(_common(first).items(), _common(other).values(), strict=True):
                if value != rival:
                    raise ValueError(
                        f"multi_domain needs domains of equal {word}, got {first.name} with {value} and {other.name} "
                        f"with {rival}; name others in system.domains"
                    )
        self.state_names, self.structure, self.canonical = first.state_names, first.structure, first.canonical
        self.grid_axes, self.mechanical, self.storing = first.grid_axes, first.mechanical, first.storing
        self.width = max(len(domain.parameter_names) for domain in self.domains)
        self.parameter_names = ("domain", *(f"mu{i + 1}" for i in range(self.width)))
        corners = self.corners()
        self.ranges = np.stack([corners.min(axis=0), corners.max(axis=0)], axis=-1)

    @property
    def families(self) -> int:
        return len(self.domains)

    @property
    def laws(self) -> tuple[type, ...]:
        return type(self), *(law for domain in self.domains for law in domain.laws)

    @property
    def starts(self) -> tuple[Start, ...]:
        return tuple(start for domain in self.domains for start in domain.starts)

    def gives(self, capability: str) -> bool:
        return all(domain.gives(capability) for domain in self.domains)

    def started_by(self, start: Start, count: int = 1) -> Self:
        other = copy.copy(self)
        other.domains = [domain.started_by(start, count) for domain in self.domains]
        return other

    def domain_names(self, mu: Array) -> list[str]:
        return [self.domains[index].name for index in _index(mu)]

    def described(self, mu: Array) -> list[str]:
        members = [self._own(member) for member in mu]
        return [f"{domain.name}: {domain.described(local[None])[0]}" for domain, local in members]

    def corners(self) -> Array:
        return np.concatenate([self._padded(i, domain.corners()) for i, domain in enumerate(self.domains)])

    def sample_parameters(self, generator: np.random.Generator, task: int | None = None) -> Array:
        index = int(generator.integers(self.families)) if task is None else task % self.families
        return self._padded(index, self.domains[index].sample_parameters(generator)[None])[0]

    def sample_starts(self, generator: np.random.Generator, mu: Array, count: int) -> Array:
        domain, local = self._own(mu)
        return domain.sample_starts(generator, local, count)

    def vector_field(self, x: Array, mu: Array) -> Array:
        return self._by_domain(mu, lambda domain, rows, local: domain.vector_field(x[rows], local))

    def box(self, mu: Array) -> Array:
        return self._by_domain(mu, lambda domain, rows, local: domain.box(local))

    def grid_box(self, mu: Array) -> Array:
        return self._by_domain(mu, lambda domain, rows, local: domain.grid_box(local))

    def on_grid(self, x: Array, mu: Array) -> Array:
        return self._by_domain(mu, lambda domain, rows, local: domain.on_grid(x[rows], local))

    def _own(self, mu: Array) -> tuple[System, Array]:
        """The domain of one member `[parameters]` and its own parameters there."""
        (index,) = _index(mu[None])
        domain = self.domains[index]
        return domain, mu[1 : 1 + len(domain.parameter_names)]

    def _padded(self, index: int, local: Array) -> Array:
        padded = np.zeros((len(local), 1 + self.width))
        padded[:, 0], padded[:, 1 : 1 + local.shape[1]] = index, local
        return padded

    def _by_domain(self, mu: Array, law: Callable[[System, Array, Array], Array]) -> Array:
        """What a law says of all tasks, each domain's in one call: law(domain, its tasks, their own parameters)."""
        index, result = _index(mu), None
        for i, domain in enumerate(self.domains):
            rows = np.flatnonzero(index == i)
            if len(rows):
                values = law(domain, rows, mu[rows, 1 : 1 + len(domain.parameter_names)])
                if result is None:
                    result = np.empty((len(mu), *values.shape[1:]))
                result[rows] = values
        assert result is not None
        return result


def _common(domain: System) -> dict[str, Any]:
    """What all domains of a union have alike."""
    of_starts = [name for name, capability in CAPABILITIES.items() if not capability.of_law]
    words = {word: value for word, value in domain.provides.items() if word not in of_starts}
    return {"state_dim": domain.state_dim, **words, "grid_axes": domain.grid_axes}


def _by_members(name: str) -> Callable[..., Array]:
    """A capability of the union, which every domain has of its own members; of states, where it takes some, and mu."""

    def capability(self: MultiDomain, *arguments: Array) -> Array:
        *states, mu = arguments
        if not self.gives(name):
            raise self._lacks(name)
        return self._by_domain(mu, lambda domain, rows, local: getattr(domain, name)(*(x[rows] for x in states), local))

    return capability


for _name in CAPABILITIES:
    setattr(MultiDomain, _name, _by_members(_name))


def _index(mu: Array) -> Array:
    return np.rint(mu[:, 0]).astype(int)
