"""Simulations on disk, under a hash of everything that they depend on, the source of the law included."""

from __future__ import annotations

import inspect
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from metastruct.data import simulate as simulation_module
from metastruct.data.simulate import Simulation, simulate
from metastruct.runs.files import locked, read_checked, write_checked
from metastruct.runs.keys import digest
from metastruct.systems.system import System

SPLITS = {"train": 0, "test": 1}
FIELDS = ("times", "states", "derivatives", "parameters")


def cached_simulation(
    folder: Path, system: System, split: str, settings: dict[str, Any], note: Callable[[str], None]
) -> Simulation:
    """The simulation of one split, from the cache or made anew.

    Args:
        folder: where the files lie.
        split: "train" or "test".
        settings: arguments of `simulate` after the split.
        note: told what is being done, where that takes time or something is wrong.
    """
    modules = dict.fromkeys(sys.modules[law.__module__] for law in (*system.laws, System))
    source = "".join(inspect.getsource(module) for module in (*modules, simulation_module))
    laws, starts = [law.__name__ for law in system.laws], [repr(start) for start in system.starts]
    key = digest([laws, starts, system.corners().tolist(), split, settings, source])
    path = folder / f"{system.name}-{split}-{key}.npz"
    with locked(folder, lambda: note("waiting for another process that simulates")):
        content = read_checked(path)
        if content is not None:
            with np.load(io.BytesIO(content)) as arrays:
                return Simulation(*(arrays[name] for name in FIELDS))
        if path.exists():
            note(f"{path.name} is damaged and is simulated again")
        note(f"simulating {settings['tasks']} {split} tasks of {system.name}")
        simulation = simulate(system, SPLITS[split], **settings)
        buffer = io.BytesIO()
        np.savez(buffer, **{name: getattr(simulation, name) for name in FIELDS})
        write_checked(path, buffer.getvalue())
        return simulation
