"""The data of a run, as Lightning knows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader, TensorDataset

from metastruct.data.cache import cached_simulation
from metastruct.data.simulate import Simulation
from metastruct.data.tasks import Tasks
from metastruct.systems.system import System


class FamilyData(LightningDataModule):
    """Training and test members of a family, simulated once and cached.

    An epoch holds one item, a tick: the learner draws its own batches from the seed and its count of outer steps.

    Args:
        system: the family.
        folder: of the cache.
        settings: the `data` block of the configuration.
        note: told about what takes time.
    """

    def __init__(self, system: System, folder: Path, settings: dict[str, Any], note: Callable[[str], None]):
        super().__init__()
        self.system = system
        shared = {key: settings[key] for key in ("trajectories", "horizon", "points", "tolerance", "seed")}

        def simulation(split: str) -> Simulation:
            tasks = settings[f"{split}_tasks"]
            return cached_simulation(folder, system, split, shared | {"tasks": tasks}, note)

        self.train, self.test = simulation("train"), simulation("test")

    def train_tasks(self) -> Tasks:
        return Tasks.of(self.train, torch.float32)

    def train_dataloader(self) -> DataLoader:
        return DataLoader(TensorDataset(torch.zeros(1)), batch_size=None)
