"""A run is one process on one device, whatever srun, torchrun, mpirun or jsrun put into the environment.

Lightning reads ranks and numbers of tasks from there, waits for processes that do not exist, leaves out what only the
first rank does, and in a SLURM job answers a signal with a checkpoint in the working folder, which every training that
starts there later would load.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from lightning.fabric.plugins.environments import LightningEnvironment
from lightning.pytorch.utilities.rank_zero import rank_zero_only


def first_rank() -> None:
    """Make this process the first, as it is the only one."""
    rank_zero_only.rank = 0  # type: ignore[attr-defined]


@contextmanager
def own_defaults() -> Iterator[None]:
    """Within, a trainer has the defaults of Lightning, and not those that PL_TRAINER_... variables would give."""
    names = [name for name in os.environ if name.startswith("PL_TRAINER_")]
    kept = {name: os.environ.pop(name) for name in names}
    try:
        yield
    finally:
        os.environ.update(kept)


class Alone(LightningEnvironment):
    """The cluster environment of a trainer that has none."""

    creates_processes_externally = False

    def __init__(self) -> None:
        super().__init__()
        first_rank()

    def set_global_rank(self, rank: int) -> None:
        """There is one."""

    def set_world_size(self, size: int) -> None:
        """It is one."""

    def local_rank(self) -> int:
        """Zero: it is the only process here."""
        return 0

    def node_rank(self) -> int:
        """Zero: it is the only machine."""
        return 0

    def teardown(self) -> None:
        """The environment is not ours to change."""
