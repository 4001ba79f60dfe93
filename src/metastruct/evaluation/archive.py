"""evaluation.npz: what the figures of a run draw, so that they can be drawn again without the model."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import numpy as np

from metastruct.runs.files import write_atomically

Array = np.ndarray
SITES = "singular_values/"  # before the name of each site in the file


@dataclass(frozen=True)
class Archive:
    """The adapted members of a run and its training, on disk under the same names.

    What the system or the dynamics does not have is None.
    """

    state_names: Array  # [state]
    parameter_names: Array  # [parameters]
    # The test tasks
    test_members: Array  # [tasks], their parameters for people
    test_domains: Array  # [tasks], their families
    test_parameters: Array  # [tasks, parameters]
    test_codes: Array  # [tasks, code]
    trace: Array  # [steps + 1, tasks], support loss
    # Along query trajectories
    times: Array  # [times], or [tasks, trajectories, times]
    query: Array  # [tasks, trajectories, times, state], true
    rollouts: Array  # [tasks, trajectories, times, state], adapted
    grid_axes: Array  # [2], the components that portraits show, and that the evaluation grid varies
    # The training
    train_domains: Array  # [training tasks]
    train_parameters: Array  # [training tasks, parameters]
    train_codes: Array  # [training tasks, code]
    history: Array  # [entries, 2], outer step and training loss
    # Of what there is, on the evaluation grid and along trajectories
    grid: Array | None = None  # [tasks, side, side, state]
    learned_field: Array | None = None  # [tasks, side, side, state]
    true_field: Array | None = None  # [tasks, side, side, state]
    true_energy: Array | None = None  # [tasks, trajectories, times], along the rollouts
    true_energy_range: Array | None = None  # [tasks], on the grid
    learned_energy: Array | None = None  # [tasks, trajectories, times]
    learned_energy_range: Array | None = None  # [tasks]
    true_entropy: Array | None = None  # [tasks, trajectories, times]
    learned_entropy: Array | None = None  # [tasks, trajectories, times]
    singular_values: dict[str, Array] = field(default_factory=dict)  # of each site, [training tasks, rank]

    def save(self, path: Path) -> None:
        """Write the file so that it is whole or not there."""
        arrays = {name: value for name, value in self._named() if value is not None}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        write_atomically(path, buffer.getvalue())

    def _named(self) -> list[tuple[str, Any]]:
        sites = [(f"{SITES}{site}", values) for site, values in self.singular_values.items()]
        own = [(each.name, getattr(self, each.name)) for each in fields(self) if each.name != "singular_values"]
        return [*own, *sites]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file.

        Raises:
            FileNotFoundError: it is not there.
            ValueError: it is damaged, or of something else, or of another version.
        """
        again = "train.py with force=true makes it again"
        content = io.BytesIO(path.read_bytes())
        try:
            with np.load(content) as stored:
                arrays = dict(stored)
        except (ValueError, TypeError, EOFError, zipfile.BadZipFile):
            raise ValueError(f"{path} must be a whole archive of arrays, got something else; {again}") from None
        sites = {name.removeprefix(SITES): arrays.pop(name) for name in [*arrays] if name.startswith(SITES)}
        known = {each.name for each in fields(cls)} - {"singular_values"}
        missing = [name for name in cls._required() if name not in arrays]
        if missing or set(arrays) - known:
            problems = {"lacks": missing, "holds": sorted(set(arrays) - known)}
            told = " and ".join(f"{word} {', '.join(names)}" for word, names in problems.items() if names)
            raise ValueError(f"{path} must be the evaluation of a run of this version, and it {told}; {again}")
        return cls(**arrays, singular_values=sites)

    @classmethod
    def _required(cls) -> list[str]:
        return [each.name for each in fields(cls) if each.default is not None and each.name != "singular_values"]
