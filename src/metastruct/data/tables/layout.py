"""Which columns of a table are what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from metastruct.data.outside import shortly
from metastruct.data.tables.table import Strange, Table


@dataclass(frozen=True)
class Layout:
    """Names of columns.

    Args:
        states: components of the state, in the order of the dynamics; for Hamiltonian ones all q, then all p.
        inputs: what drives the members.
        labels: what tells them apart.
        member, trajectory, time: whose row it is, and when.
        units: of any of these columns, for people.

    Raises:
        ValueError: no state is named, a name stands twice, or a unit is that of no column.
    """

    states: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    member: str = "member"
    trajectory: str = "trajectory"
    time: str = "t"
    units: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for role in ("states", "inputs", "labels"):
            names = getattr(self, role)
            if not isinstance(names, list | tuple) or not all(isinstance(name, str) and name for name in names):
                raise ValueError(f"{role} must be a list of names of columns such as [q, p], got {shortly(names)}")
            object.__setattr__(self, role, tuple(names))
        if not self.states:
            raise ValueError("states must name at least one column such as [q, p], got none")
        if not isinstance(self.units, Mapping):
            raise ValueError(f"units must be those of columns such as {{t: s, q: rad}}, got {shortly(self.units)}")
        for role in ("member", "trajectory", "time"):
            if not isinstance(name := getattr(self, role), str) or not name:
                raise ValueError(f"{role} must be the name of a column such as {role}, got {shortly(name)}")
        object.__setattr__(self, "units", dict(self.units))
        names = [*self.named]
        if doubled := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"every column must have one part, got {doubled} for two; name another column")
        if stranger := next((name for name in self.units if name not in names), None):
            raise ValueError(f"units must be those of the columns {', '.join(names)}, got one of {stranger}")

    @classmethod
    def of(
        cls,
        states: Sequence[str],
        inputs: Sequence[str] = (),
        labels: Sequence[str] = (),
        units: Mapping[str, str] | None = None,
        **names: str,
    ) -> Layout:
        """From lists, and from the names of the columns of member, trajectory and time."""
        return cls(_names(states), _names(inputs), _names(labels), units={} if units is None else units, **names)

    @property
    def named(self) -> Iterator[str]:
        """Every column that may be read, derivatives last."""
        yield from (self.member, self.trajectory, self.time, *self.states, *self.inputs, *self.labels)
        yield from self.derivatives

    @property
    def derivatives(self) -> tuple[str, ...]:
        """Columns of dx/dt, where a table has them."""
        return tuple(f"d{name}" for name in self.states)

    def unit(self, name: str) -> str:
        """Of a column; of a derivative where those of the state and of the time are known."""
        if name in self.units or name not in self.derivatives:
            return self.units.get(name, "")
        parts = self.units.get(name[1:], ""), self.units.get(self.time, "")
        return "/".join(parts) if all(parts) else ""

    def titled(self, name: str) -> str:
        """A column with its unit, as on an axis: q (rad)."""
        unit = self.unit(name)
        return f"{name} ({unit})" if unit else name


def _names(names: Sequence[str]) -> tuple[str, ...]:
    several = isinstance(names, Iterable) and not isinstance(names, str) and getattr(names, "ndim", 1) > 0
    return tuple(names) if several else names  # type: ignore[return-value]


def inferred(table: Table, member: str = "member", trajectory: str = "trajectory", time: str = "t") -> tuple[str, ...]:
    """The states of a table that nobody named: columns with derivatives, else all of numbers without another part."""
    names = [name for name in table.columns if name not in (member, trajectory, time)]
    names = [name for name in names if f"d{name}" in names] or names
    return tuple(name for name in names if not isinstance(table.columns[name], Strange) and _numeric(table, name))


def _numeric(table: Table, name: str) -> bool:
    try:
        return bool((values := table.numbers(name, "states")).size and (values == values).any())
    except ValueError:
        return False
