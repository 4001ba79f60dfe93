"""evaluation.npz: what the figures of a run draw, so that they can be drawn again without the model."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Self, get_type_hints

import numpy as np

from metastruct.runs.arrays import read_arrays
from metastruct.runs.files import write_atomically

Array = np.ndarray
SITES = "singular_values/"  # before the name of each site in the file


@dataclass(frozen=True)
class Archive:
    """The adapted members of a run and its training, on disk under the same names.

    What the system or the dynamics does not have is None. Each array says its axes, and whether it holds words; axes of
    one name are of one length.
    """

    state_names: Annotated[Array, "states", str]
    parameter_names: Annotated[Array, "parameters", str]
    # The test tasks
    test_members: Annotated[Array, "tasks", str]  # their parameters for people
    test_domains: Annotated[Array, "tasks", str]  # their families
    test_parameters: Annotated[Array, "tasks parameters"]
    test_codes: Annotated[Array, "tasks codes"]
    trace: Annotated[Array, "steps tasks"]  # support loss
    # Along query trajectories
    times: Array  # [times], or [tasks, trajectories, times]
    query: Annotated[Array, "tasks trajectories instants states"]  # true
    rollouts: Annotated[Array, "tasks trajectories instants states"]  # adapted
    grid_axes: Annotated[Array, "axes"]  # the components that portraits show, and that the evaluation grid varies
    # The training
    train_domains: Annotated[Array, "training_tasks", str]
    train_parameters: Annotated[Array, "training_tasks parameters"]
    train_codes: Annotated[Array, "coded_tasks codes"]
    history: Array  # [entries, 2], outer step and training loss
    # Of what there is, on the evaluation grid and along trajectories
    grid: Annotated[Array | None, "tasks side side states"] = None
    learned_field: Annotated[Array | None, "tasks side side states"] = None
    true_field: Annotated[Array | None, "tasks side side states"] = None
    true_energy: Annotated[Array | None, "tasks trajectories instants"] = None  # along the rollouts
    true_energy_range: Annotated[Array | None, "tasks"] = None  # on the grid
    learned_energy: Annotated[Array | None, "tasks trajectories instants"] = None
    learned_energy_range: Annotated[Array | None, "tasks"] = None
    true_entropy: Annotated[Array | None, "tasks trajectories instants"] = None
    learned_entropy: Annotated[Array | None, "tasks trajectories instants"] = None
    # Of what was seen, where nobody knows the law
    forecast_std: Annotated[Array | None, "tasks trajectories instants states"] = None  # of what is observed
    residuals: Annotated[Array | None, "tasks trajectories instants states"] = None  # that the best start leaves
    noise: Annotated[Array | None, "states"] = None  # NaN where it is not known
    # What figures show beside
    support: Annotated[Array | None, "tasks shots states"] = None  # adapted to; NaN where a task has fewer
    state_labels: Annotated[Array | None, "states", str] = None  # names with their units, for people
    time_label: Annotated[Array | None, "once", str] = None  # the same of the time
    singular_values: dict[str, Array] = field(default_factory=dict)  # of each site, [training tasks, rank]

    @property
    def labels(self) -> list[str]:
        """Of the components of a state, for people."""
        return (self.state_names if self.state_labels is None else self.state_labels).tolist()

    @property
    def clock(self) -> str:
        """The label of the time, for people."""
        return "t" if self.time_label is None else str(self.time_label[0])

    def principal(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """First two principal components of training and of new codes `[tasks, 2]`, and each component's share."""
        points = self.train_codes
        centre = points.mean(0)
        _, spread, axes = np.linalg.svd(points - centre, full_matrices=False)
        plane = np.zeros((points.shape[1], 2))
        plane[:, : min(2, len(axes))] = axes[:2].T
        shares = spread**2 / ((spread**2).sum() or 1.0)  # codes may all be the same
        return (points - centre) @ plane, (self.test_codes - centre) @ plane, shares

    def save(self, path: Path) -> None:
        """Write the file so that it is whole or not there."""
        arrays = {name: value for name, value in self._named() if value is not None}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        write_atomically(path, buffer.getvalue())

    def _named(self) -> list[tuple[str, Any]]:
        sites = [(f"{SITES}{site}", values) for site, values in self.singular_values.items()]
        entries = [(each.name, getattr(self, each.name)) for each in fields(self) if each.name != "singular_values"]
        return [*entries, *sites]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file.

        Raises:
            FileNotFoundError: it is not there.
            ValueError: it is damaged, or of something else, or of another version.
        """
        again = "train.py with force=true makes it again"
        try:
            arrays = read_arrays(path.read_bytes())
        except MemoryError:
            arrays = None
        if arrays is None:
            raise ValueError(f"{path} must be a whole archive of arrays, got something else; {again}")
        sites = {name.removeprefix(SITES): arrays.pop(name) for name in [*arrays] if name.startswith(SITES)}
        schema = {each.name for each in fields(cls)} - {"singular_values"}
        missing = [name for name in cls._required() if name not in arrays]
        if missing or set(arrays) - schema:
            problems = {"lacks": missing, "holds": sorted(set(arrays) - schema)}
            message = " and ".join(f"{word} {', '.join(names)}" for word, names in problems.items() if names)
            raise ValueError(f"{path} must be the evaluation of a run of this version, and it {message}; {again}")
        archive = cls(**arrays, singular_values=sites)
        if problem := archive._problem():
            raise ValueError(f"{path} must be the evaluation of a run, and {problem}; {again}")
        return archive

    def _problem(self) -> str | None:
        """The first array whose kind or shape is not that of the others, or None."""
        sizes: dict[str, int] = {"axes": 2, "once": 1}
        for name, axes in sorted(SHAPES.items(), key=lambda pair: -len(pair[1])):
            array = getattr(self, name)
            if array is None:
                continue
            if array.dtype.kind not in ("U" if name in WORDS else "biuf"):
                return f"{name} holds {array.dtype}"
            if array.ndim != len(axes):
                return f"{name} must have {len(axes)} axes, got {array.ndim}"
            for axis, size in zip(axes, array.shape, strict=True):
                if sizes.setdefault(axis, size) != size:
                    return f"{name} must have {sizes[axis]} {axis}, got {size}"
        series = [("times", self.times, (1, 3)), ("history", self.history, (1, 2)), *self._sites()]
        for name, array, dimensions in series:
            if array.dtype.kind not in "iuf" or array.ndim not in dimensions:
                return f"{name} must be numbers of {dimensions[-1]} axes, got {array.dtype} of {array.ndim}"
        if self.times.shape not in (self.query.shape[2:3], self.query.shape[:3]):
            return f"times must be those of the query, got the shape {list(self.times.shape)}"
        plane = self.grid_axes
        if plane.dtype.kind not in "iu" or not ((plane >= 0) & (plane < sizes["states"])).all():
            return f"grid_axes must be two of {sizes['states']} components, got {plane.tolist()}"
        return None

    def _sites(self) -> list[tuple[str, Array, tuple[int, ...]]]:
        return [(f"{SITES}{site}", values, (2,)) for site, values in self.singular_values.items()]

    @classmethod
    def _required(cls) -> list[str]:
        return [each.name for each in fields(cls) if each.default is not None and each.name != "singular_values"]


_HINTS = get_type_hints(Archive, include_extras=True).items()
_AXES = {name: hint.__metadata__ for name, hint in _HINTS if hasattr(hint, "__metadata__")}
SHAPES = {name: tuple(axis.replace("_", " ") for axis in axes.split()) for name, (axes, *_) in _AXES.items()}
WORDS = tuple(name for name, (_, *kind) in _AXES.items() if kind)
