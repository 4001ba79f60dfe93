"""The data of a run, as Lightning knows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader, TensorDataset

from metastruct.data.cache import SPLITS, cached_simulation
from metastruct.data.noise import observed, spread
from metastruct.data.simulate import Simulation
from metastruct.data.tasks import Tasks
from metastruct.systems.system import System


class FamilyData(LightningDataModule):
    """Training and test members of a family, simulated once and cached, observed with the noise that is asked for.

    Query trajectories of test tasks are never noisy: they are what a member is measured against.

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
            tasks = settings[f"{split}_tasks"] * system.families
            return cached_simulation(folder, system, split, shared | {"tasks": tasks}, note)

        train, test = simulation("train"), simulation("test")
        noise = spread(train), settings["noise"], settings["seed"]
        self.train = observed(train, *noise, SPLITS["train"], settings["trajectories"])
        self.test = observed(test, *noise, SPLITS["test"], settings["support_trajectories"])

    def train_tasks(self) -> Tasks:
        return Tasks.of(self.train, torch.float32)

    def train_dataloader(self) -> DataLoader:
        return DataLoader(TensorDataset(torch.zeros(1)), batch_size=None)
