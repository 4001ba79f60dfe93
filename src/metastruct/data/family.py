"""Members of a family as somebody measured them, from a frame, from arrays or from files; without torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from metastruct.data.arrays import labelled, long, named_or
from metastruct.data.outside import place_of, several
from metastruct.data.tables.formats import npz
from metastruct.data.tables.frames import framed
from metastruct.data.tables.kinds import of_kinds
from metastruct.data.tables.layout import Layout
from metastruct.data.tables.reading import tables
from metastruct.data.tables.table import Table
from metastruct.data.tables.trajectories import seen_in
from metastruct.data.trajectory import PARTS, Array, Member, check_alike
from metastruct.runs.shown import Rows, Shown

SHOWN = 5  # members


@dataclass(frozen=True, repr=False)
class Family(Shown):
    """Members with the names of what was seen of them.

    `Family.from_frame(frame, states=["q", "p"])`, `Family.from_arrays([[(t, x), ...], ...])` or
    `Family.from_files("measured.csv", states=["q", "p"])`; then `metastruct.fit(family, ...)`.

    Args:
        members: by name, at least one.
        layout: which columns they come from, with their units.
        report: what was done to which rows, one line each.
        trajectory_names: of each member.

    Raises:
        ValueError: there is no member, or they differ in what was seen of them.
    """

    members: tuple[Member, ...]
    layout: Layout
    report: tuple[str, ...] = ()
    trajectory_names: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        if not self.members:
            raise ValueError("a family must have at least one member, got none")
        check_alike(self.members)

    @classmethod
    def from_files(
        cls, path: str | Path, states: Sequence[str], *, content: str | None = None, **columns: Any
    ) -> Family:
        """From a file or a folder of files, in the format of `metastruct.data.tables`.

        Args:
            states: columns of the state.
            content: the hash that the path had before; files that have changed since are refused.
            columns: `inputs`, `labels` and `units`, and the names `member`, `trajectory` and `time`.

        Raises:
            ValueError: in one line, which file, line and column, what was expected, what came and what to do.
        """
        layout = Layout.of(states, **columns)
        every, notes = tables(place_of(path, "path"), content)
        return cls._of(every, layout, notes)

    @classmethod
    def from_frame(cls, frame: Any, states: Sequence[str], **columns: Any) -> Family:
        """From a long table: a frame of pandas, or a mapping of columns.

        Args:
            states, columns: as of `from_files`.

        Raises:
            ValueError: in one line, which row and column, what was expected, what came and what to do.
        """
        return cls._of([framed(frame)], Layout.of(states, **columns))

    @classmethod
    def from_arrays(
        cls,
        members: Sequence[Iterable[Any]] | Mapping[str, Iterable[Any]],
        states: Sequence[str] | None = None,
        *,
        inputs: Sequence[str] | None = None,
        labels: Mapping[str, Sequence[float]] | None = None,
        units: Mapping[str, str] | None = None,
    ) -> Family:
        """From the trajectories of each member, in a list or by its name.

        Args:
            members: of each trajectory `(t, x)`, `t` of shape `[instants]` and `x` of `[instants, state]`, or a mapping
                of `times`, `states`, and `derivatives` or `inputs` where somebody knows them.
            states, inputs: names of components; x0, x1 ... and u0, u1 ... if left out.
            labels: by name, a number for each member.

        Raises:
            ValueError: in one line, which member and trajectory, what was expected and what came.
        """
        if isinstance(members, Mapping):
            named = {**members}
        else:
            named = {str(n): one for n, one in enumerate(several(members, "members", "a list or a mapping of members"))}
        widths, columns = long(named)
        chosen = {
            part: named_or(names, letter, widths.get(part, 0), part)
            for part, names, letter in (("states", states, "x"), ("inputs", inputs, "u"))
        }
        marks = labelled({} if labels is None else labels, len(named))
        layout = Layout.of(chosen["states"], chosen["inputs"], tuple(marks), units)
        frame: dict[str, Any] = {layout.member: columns["member"], layout.trajectory: columns["trajectory"]}
        frame[layout.time] = columns["times"]
        for part in PARTS[1:]:
            if part in columns:
                frame |= dict(zip(getattr(layout, part), columns[part].T, strict=True))
        for name, values in marks.items():
            by_member = dict(zip(named, values.tolist(), strict=True))
            frame[name] = np.array([by_member[member] for member in columns["member"]])
        return cls._of([Table("arrays", frame)], layout)

    @classmethod
    def _of(cls, tabled: Sequence[Table], layout: Layout, notes: Sequence[str] = ()) -> Family:
        tabled, layout = of_kinds(tabled, layout)
        members, more = seen_in(tabled, layout)
        names = tuple(tuple(one.trajectories) for one in members.values())
        return cls(tuple(one.member(name) for name, one in members.items()), layout, (*notes, *more), names)

    def without_outliers(self, bound: float | None) -> Family:
        """Without observations of the states beyond the bound, in standard deviations of their noise, and told.

        None leaves all of them, and tells of those that look like errors.
        """
        from metastruct.data.outliers import suspected, without_outliers  # they import what is heavy

        if bound is None:
            doubt = suspected(self.members)
            return self if doubt is None else replace(self, report=(*self.report, doubt))
        members, notes = without_outliers(self.members, bound)
        return replace(self, members=members, report=(*self.report, *notes))

    def with_velocities(self) -> Family:
        """States (q, v) of members of which positions q alone were seen, for `dynamics=mechanical`.

        v_q is the slope of a smoothing spline through q, or its derivative where somebody knows it. The report says
        about how far off it is.

        Raises:
            ValueError: a trajectory is too short, or there is a column of that name.
        """
        from metastruct.data.velocities import with_velocities  # it imports what is heavy

        layout = self.layout
        names = tuple(f"v_{name}" for name in layout.states)
        units = {
            f"v_{name}": unit
            for name, slope in zip(layout.states, layout.derivatives, strict=True)
            if (unit := layout.unit(slope))
        }
        members, errors = with_velocities(self.members)
        lines = [
            f"{name} is the slope of a spline through {position}, off by about {error:.1%} of its spread"
            for name, position, error in zip(names, layout.states, errors, strict=True)
            if "derivatives" not in self.parts
        ]
        layout = replace(layout, states=(*layout.states, *names), units={**layout.units, **units})
        return replace(self, members=members, layout=layout, report=(*self.report, *lines))

    def __len__(self) -> int:
        return len(self.members)

    @property
    def title(self) -> str:
        """How large it is, and of what."""
        lengths = [len(one) for member in self.members for one in member.trajectories]
        words = f"{len(lengths)} trajectories, {sum(lengths)} instants of {', '.join(self.layout.states)}"
        return f"Family({len(self)} members, {words})"

    def shown(self) -> tuple[str, Rows]:
        """Its first members."""
        rows: list[tuple[str, ...]] = [("member", "trajectories", "instants", "from", "to")]
        for member in self.members[:SHOWN]:
            every = member.trajectories
            ends = min(one.times[0] for one in every), max(one.times[-1] for one in every)
            rows.append((member.name, str(len(every)), str(sum(map(len, every))), *(f"{end:g}" for end in ends)))
        if len(self) > SHOWN:
            rows.append((f"and {len(self) - SHOWN} more", "", "", "", ""))
        return self.title, rows

    def plot(self, axes: Any = None) -> Any:
        """Draw what was seen, each member in a colour: two components in their plane, or the only one over time.

        Args:
            axes: of matplotlib, to draw into; None makes some. They are returned.
        """
        import matplotlib.pyplot as plt

        axes = plt.subplots(layout="constrained")[1] if axes is None else axes
        layout, flat = self.layout, len(self.layout.states) == 1
        colours = plt.colormaps["viridis"](np.linspace(0, 0.9, len(self.members)))
        for member, colour in zip(self.members, colours, strict=True):
            for one in member.trajectories:
                across, up = (one.times, one.states[:, 0]) if flat else one.states.T[:2]
                axes.plot(across, up, ".-", color=colour, markersize=2.5, linewidth=0.6)
        first, second = (layout.time, layout.states[0]) if flat else layout.states[:2]
        axes.set_xlabel(layout.titled(first))
        axes.set_ylabel(layout.titled(second))
        return axes

    @property
    def parts(self) -> tuple[str, ...]:
        """What was seen of all members, names of the parts of a trajectory."""
        return tuple(self.members[0].widths)

    def as_npz(self) -> bytes:
        """A file that `from_files` reads as the same family; the same bytes of the same numbers."""
        layout, rows = self.layout, []
        for member, names in zip(self.members, self.trajectory_names, strict=True):
            rows += [(member, name, one) for name, one in zip(names, member.trajectories, strict=True)]
        columns: dict[str, Array] = {
            layout.member: np.concatenate([np.full(len(one), member.name) for member, _, one in rows]),
            layout.trajectory: np.concatenate([np.full(len(one), name) for _, name, one in rows]),
            layout.time: np.concatenate([one.times for *_, one in rows]),
        }
        for part in PARTS[1:]:
            if part in self.parts:
                values = np.concatenate([getattr(one, part) for *_, one in rows])
                columns |= dict(zip(getattr(layout, part), values.T, strict=True))
        for number, label in enumerate(layout.labels):
            columns[label] = np.concatenate([np.full(len(one), _label(member, number)) for member, _, one in rows])
        return npz.written(columns)


def _label(member: Member, number: int) -> float:
    return float("nan") if member.parameters is None else float(member.parameters[number])
