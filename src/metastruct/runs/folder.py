"""Where a run keeps its things.

outputs/SYSTEM-METHOD-seedN-KEY/           a run: config, metrics, records, model, figures
outputs/training/SYSTEM-METHOD-seedN-KEY/  a training, shared by all runs that only evaluate differently
outputs/training/SYSTEM-METHOD-seedN_N-KEY/  checkpoints of seeds that are trained together, until they are trained
outputs/data/                              simulated trajectories
"""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metastruct.runs.files import sum_file


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run; nothing is created by asking for one."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.yaml"

    @property
    def metrics(self) -> Path:
        """The results; written last."""
        return self.path / "metrics.json"

    @property
    def records(self) -> Path:
        """One row a value."""
        return self.path / "records.csv"

    @property
    def model(self) -> Path:
        """The trained model."""
        return self.path / "model.ckpt"

    @property
    def family(self) -> Path:
        """The members that were learned, where they came from memory."""
        return self.path / "family.npz"

    @property
    def report(self) -> Path:
        """What was done to the data that were read, one line each."""
        return self.path / "data.txt"

    @property
    def evaluation(self) -> Path:
        """What the figures draw."""
        return self.path / "evaluation.npz"

    @property
    def figures(self) -> Path:
        """Pictures of the results."""
        return self.path / "figures"

    def finished(self) -> dict[str, Any] | None:
        """The metrics of a finished run, or None: metrics.json is written last and counts the rows of records.csv."""
        try:
            metrics = json.loads(self.metrics.read_text())
            with open(self.records, newline="") as file:
                rows = sum(1 for _ in csv.DictReader(file))
        except (OSError, ValueError, csv.Error, RecursionError, MemoryError):
            return None
        return metrics if isinstance(metrics, dict) and metrics.get("records") == rows else None

    def forget(self) -> None:
        """Remove the results, by whoever holds the folder's lock; first metrics.json, which says that there are any."""
        for path in (self.metrics, self.records, self.evaluation, self.report, self.model, sum_file(self.model)):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.figures, ignore_errors=True)


def data_folder(outputs: str) -> Path:
    """Where simulated trajectories are kept."""
    return Path(outputs) / "data"
