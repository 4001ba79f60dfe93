"""The data source of measured trajectories: data=files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metastruct.config.facts import providing
from metastruct.data.family import Family
from metastruct.data.holdout import Division, HoldOut, fewer
from metastruct.data.outline import Outline
from metastruct.data.source import Source
from metastruct.data.tables.layout import Layout
from metastruct.data.tables.reading import content_of

if TYPE_CHECKING:
    from metastruct.systems.system import System

COLUMNS = ("states", "inputs", "labels", "units", "member", "trajectory", "time")
SHOWN = 20  # lines of the report; all of them are in the run folder


class Files(Source):
    """Members of a file or of a folder of files, in the format of `metastruct.data.tables`; nobody knows their law.

    Args:
        system, origin, folder: of who simulates.
        note: told what was done to which rows.
        path: of the file or the folder.
        content: its hash, which is in the key of a training; files that have changed since are refused.
        states, inputs, labels, units, member, trajectory, time: columns, as of `Layout`.
        hold_out, test_names, test_fraction, folds, fold, seed, support_trajectories: as of `HoldOut`.
        train_members: at most so many to train on, drawn by the seed; fewer are among more.
        held_inputs: does an input stay as it is from one instant to the next? Else it goes along a straight line.
        outliers: bound of what is set aside, as of `without_outliers`; None sets nothing aside.

    Raises:
        ValueError: in one line, which file, line and column, what was expected, what came and what to do.
    """

    def __init__(
        self,
        system: System | None,
        origin: Mapping[str, Any],
        folder: Path,
        note: Callable[[str], None],
        path: str,
        content: str,
        hold_out: str,
        test_names: Sequence[str | int],
        test_fraction: float,
        folds: int | None,
        fold: int,
        seed: int,
        train_members: int | None,
        support_trajectories: int | None,
        held_inputs: bool,
        outliers: float | None,
        states: Sequence[str],
        inputs: Sequence[str],
        labels: Sequence[str],
        units: Mapping[str, str] | None,
        member: str,
        trajectory: str,
        time: str,
    ):
        columns = {"member": member, "trajectory": trajectory, "time": time}
        parts = {"inputs": inputs, "labels": labels, "units": units}
        family = Family.from_files(path, states, content=content, **parts, **columns)
        names = tuple(map(str, test_names))
        division = HoldOut(hold_out, names, test_fraction, folds, fold, seed, support_trajectories).divide(family)
        notes = division.notes
        if outliers is None:
            family = family.without_outliers(None)
        else:
            division, notes = _cleaned(division, outliers)
        super().__init__(
            name=Path(path).stem,
            state_names=family.layout.states,
            train=fewer(division.train, train_members, seed),
            test=division.test,
            support_trajectories=division.support,
            input_names=family.layout.inputs,
            parameter_names=family.layout.labels,
            held_inputs=held_inputs,
        )
        measures = ", ".join(f"{name} in {unit}" for name, unit in family.layout.units.items())
        self.report = (family.title, *([f"units: {measures}"] if measures else []), *family.report, *notes)
        for line in self.report[:SHOWN]:
            note(line)
        if more := len(self.report[SHOWN:]):
            note(f"and {more} more lines, which are in the run folder")

    content_of = staticmethod(content_of)

    @classmethod
    def outline(cls, system: System | None, **settings: Any) -> Outline:
        """As of `Source`; a run folder is read without its files.

        Raises:
            ValueError: there is no path, or columns or what is held out make no sense.
        """
        if system is not None:
            simulating = providing("data", "simulates")
            raise ValueError(
                f"data=files knows no law, got system={system.name}; leave system out, or use {simulating}"
            )
        if not isinstance(path := settings.get("path"), str) or not path:
            value = "null" if path is None else repr(path)
            raise ValueError(f"data=files needs data.path, the file or the folder of trajectories, got {value}")
        if not settings.get("states"):
            raise ValueError("data=files needs data.states, the columns of the state such as [q, p], got none")
        layout = Layout.of(**{name: settings[name] for name in COLUMNS})
        names = ("test_fraction", "folds", "fold", "seed", "support_trajectories")
        HoldOut(settings["hold_out"], settings["test_names"], *(settings[name] for name in names))
        if settings.get("outliers") is not None and layout.inputs:
            raise ValueError(
                "data.outliers cannot tell errors from what an input does, got data.inputs; leave data.outliers out"
            )
        if settings["held_inputs"] and not layout.inputs:
            raise ValueError("data.held_inputs has no meaning without data.inputs; name their columns or leave it out")
        return Outline(len(layout.states), len(layout.inputs))


def _cleaned(division: Division, bound: float) -> tuple[Division, tuple[str, ...]]:
    """Without outliers, but for what test members are measured against, and its notes with what was set aside."""
    from metastruct.data.outliers import without_outliers

    train, notes = without_outliers(division.train, bound)
    supports, more = without_outliers([member.part(slice(division.support)) for member in division.test], bound)
    test = tuple(
        replace(whole, trajectories=support.trajectories + whole.trajectories[division.support :])
        for whole, support in zip(division.test, supports, strict=True)
    )
    return replace(division, train=train, test=test), (*division.notes, *notes, *more)
