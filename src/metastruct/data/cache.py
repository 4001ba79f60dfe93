"""Simulations on disk, under a hash of everything that they depend on, the source of the law included."""

from __future__ import annotations

import inspect
import io
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metastruct.data import draws
from metastruct.data import simulate as simulation_module
from metastruct.data.draws import drawn
from metastruct.data.simulate import Simulation, instants, law_along, simulate
from metastruct.runs.arrays import read_arrays
from metastruct.runs.digest import digest
from metastruct.runs.files import locked, read_checked, set_aside, write_checked
from metastruct.runs.source import sources
from metastruct.systems.system import System

SPLITS = {"train": 0, "test": 1}
FOREIGN = ("abc", "builtins", "typing")  # modules of bases that decide nothing
FIELDS = ("times", "states", "derivatives", "parameters")
DRIVEN = (*FIELDS, "inputs")


def cached_simulation(
    folder: Path,
    system: System,
    origin: Mapping[str, Any],
    split: str,
    settings: Mapping[str, Any],
    note: Callable[[str], None],
) -> Simulation:
    """The simulation of one split, from the cache or made anew.

    Args:
        folder: where the files lie.
        origin: every setting that made the system and its starts.
        split: "train" or "test".
        settings: arguments of `simulate` after the split.
        note: told what is being done, where that takes time or something is wrong.
    """
    family = [law.__qualname__ for law in system.laws], system.corners().tolist(), repr(system.starts)
    key = digest([origin, family, split, settings, source_of(system.laws)])
    path = folder / f"{system.name}-{split}-{key}.npz"
    with locked(folder, lambda: note("waiting for another process that simulates")):
        content = read_checked(path)
        simulation = None if content is None else read(content, system, SPLITS[split], settings)
        if simulation is not None:
            return simulation
        if path.exists():
            problem = "is damaged, or holds something else, and is simulated again"
            note(f"{path.name} {problem}; it is set aside as {set_aside(path).name}")
        note(f"simulating {settings['tasks']} {split} members of {system.name}")
        simulation = simulate(system, SPLITS[split], **settings)
        buffer = io.BytesIO()
        np.savez(buffer, **{name: getattr(simulation, name) for name in fields_of(system)})
        write_checked(path, buffer.getvalue())
        return simulation


def read(content: bytes, system: System, split: int, settings: Mapping[str, Any]) -> Simulation | None:
    """The simulation of these bytes; None where they are not that of these members of the system, from these starts."""
    arrays = read_arrays(content)
    names = fields_of(system)
    if arrays is None or {*arrays} != {*names}:
        return None
    simulation = Simulation(*(arrays[name] for name in names))
    states = settings["tasks"], settings["trajectories"], settings["points"], system.state_dim
    driving = *states[:-1], len(system.input_names)
    shapes = ((settings["points"],), states, states, (settings["tasks"], len(system.parameter_names)), driving)
    parts = [getattr(simulation, name) for name in names]
    whole = all(
        part.shape == shape and part.dtype == np.float64 and np.isfinite(part).all()
        for part, shape in zip(parts, shapes, strict=False)
    )
    if not whole or not np.array_equal(simulation.times, instants(**settings)):
        return None
    parameters, starts = drawn(system, split, **settings)
    if not (np.array_equal(simulation.parameters, parameters) and np.array_equal(simulation.states[:, :, 0], starts)):
        return None
    law = law_along(system, simulation.states, simulation.parameters, simulation.inputs)
    return simulation if np.allclose(law, simulation.derivatives, rtol=1e-6, atol=1e-9) else None


def fields_of(system: System) -> tuple[str, ...]:
    """What a file holds of a simulation."""
    return DRIVEN if system.input_names else FIELDS


def source_of(laws: Sequence[type]) -> str:
    """The source of what makes a simulation: these classes, what they inherit and import, `draws`, `simulate`."""
    inherited = dict.fromkeys(ancestor.__module__ for law in laws for ancestor in law.__mro__)
    first = {name: inspect.getsource(sys.modules[name]) for name in inherited if name not in FOREIGN}
    return "".join([*sources(first).values(), *map(inspect.getsource, (draws, simulation_module))])
