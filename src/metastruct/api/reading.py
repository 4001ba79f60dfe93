"""What a model reads of a member: a user's arrays become trajectories, whose borders the objective keeps."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metastruct.api.space import Space
from metastruct.data.family import Family
from metastruct.data.observations import ESTIMATED
from metastruct.data.outliers import suspected, without_outliers
from metastruct.data.outside import LARGEST, floats, pieces_of, several, shortly
from metastruct.data.trajectory import Member, Trajectory
from metastruct.running.trained import Trained

NAMES = {"derivatives": "dxdt", "times": "times", "inputs": "inputs"}  # of the parts that an objective reads
PARTS = ("states", *NAMES.values(), "noise", "dxdt_noise")


@dataclass(frozen=True)
class Reading:
    """Which arrays the objective of a model reads, and how they become the observations of a member.

    Args:
        trained: whose objective it is, and whose states.
        name: of the piece of the objective.
        outliers: bound beyond which a training set observations aside, as of `without_outliers`.
        read: members as the dynamics takes them, as of `Dynamics.read`.
    """

    trained: Trained
    name: str
    outliers: float | None
    read: Callable[[Sequence[Member]], tuple[tuple[Member, ...], tuple[str, ...]]]

    @property
    def space(self) -> Space:
        """What they are arrays of."""
        return Space.of(self.trained.model.dynamics)

    def member(
        self,
        states: Any,
        dxdt: Any = None,
        times: Any = None,
        inputs: Any = None,
        noise: Any = None,
        dxdt_noise: Any = None,
    ) -> Member:
        """Observations of one member as trajectories; arguments and errors as of `Model.adapt`."""
        state_dim, input_dim = self.space.state_dim, self.space.input_dim
        arrays = {"states": states, "dxdt": dxdt, "times": times, "inputs": inputs}
        for part in self.trained.objective.reads:
            if part in ESTIMATED:
                continue
            if arrays.get(NAMES.get(part, part)) is None and (part != "inputs" or input_dim):
                label = NAMES.get(part, part)
                raise ValueError(f"objective={self.name} reads {label}, got none; give {label}=...")
        if inputs is not None and not input_dim:
            raise ValueError("inputs are for a model that was trained with inputs, which this one was not")
        sizes = {"states": (state_dim,), "dxdt": (state_dim,), "times": (), "inputs": (input_dim,)}
        parts = {name: pieces_of(values, name, *sizes[name]) for name, values in arrays.items() if values is not None}
        counts = [len(piece) for piece in parts["states"]]
        for name, pieces in parts.items():
            if [len(piece) for piece in pieces] != counts:
                other = [len(piece) for piece in pieces]
                raise ValueError(f"states and {name} must have as many points, got {counts} and {other}")
        levels = [
            self._level(value, name, label, times is None)
            for value, name, label in ((noise, "noise", "noise"), (dxdt_noise, "derivative_noise", "dxdt_noise"))
        ]
        parts.setdefault("times", [np.arange(count, dtype=float) for count in counts])
        columns = [parts.get(name, [None] * len(counts)) for name in ("times", "states", "dxdt", "inputs")]
        every: list[tuple[Any, ...]] = [*zip(*columns, strict=True)]
        member = Member(tuple(Trajectory(*one, *levels) for one in every if len(one[0])))
        return member if times is None else self._cleaned(member)

    def _cleaned(self, member: Member) -> Member:
        """As a training read it, with a warning of what was done or may be wrong."""
        (member,), notes = self.read([member])
        more: tuple[str | None, ...] = (suspected([member]),)
        if self.outliers is not None:
            (member,), more = without_outliers([member], self.outliers)
        for note in filter(None, (*notes, *more)):
            warnings.warn(note, stacklevel=4)
        return member

    def family(self, family: Family) -> list[dict[str, Any]]:
        """The arguments of `member` for each member of a family; a ValueError where it is none."""
        if not isinstance(family, Family):
            raise ValueError(f"family must be a Family, as Family.from_files makes it, got {shortly(family)}")
        parts = {"states": "states"} | {label: part for part, label in NAMES.items()}
        needs = {"states", "times", *(part for part in self.trained.objective.reads if part in family.parts)}
        needs |= {"inputs"} & {*family.parts} if self.space.input_dim else set()
        return [
            {name: [getattr(one, part) for one in member.trajectories] for name, part in parts.items() if part in needs}
            for member in family.members
        ]

    def _level(self, value: Any, name: str, label: str, scattered: bool) -> np.ndarray | None:
        """Noise of each component, or None where a trajectory tells of it; points without an order tell nothing."""
        size = self.space.state_dim
        if value is None:
            return self.trained.objective.level(name, size) if scattered else None
        levels = floats(value, f"{label} must be one number or {size} numbers")
        if levels.shape not in ((), (1,), (size,)) or not ((levels >= 0) & (levels <= LARGEST)).all():
            raise ValueError(
                f"{label} must be one or {size} standard deviations, finite and not negative, got {shortly(value)}"
            )
        return np.broadcast_to(levels, (size,)).astype(float)


def named(one: Sequence[Any] | Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `Reading.member` by name, of `(states, dxdt)` or a mapping.

    Raises:
        ValueError: it is something else.
    """
    every = one if isinstance(one, Mapping) else several(one, "observations", "(states, dxdt) or a mapping")
    parts = dict(every) if isinstance(every, Mapping) else dict(zip(PARTS, every, strict=False))
    if "states" not in parts or set(parts) - set(PARTS) or (not isinstance(one, Mapping) and len(every) > 2):
        raise ValueError(
            f"observations must be (states, dxdt) or a mapping of {', '.join(PARTS)}, got "
            f"{', '.join(map(str, parts)) if isinstance(one, Mapping) else f'{len(every)} parts'}"
        )
    return parts
