"""Where a run keeps its things.

outputs/SYSTEM-METHOD-seedN-KEY/           a run: config, metrics, records, model, figures
outputs/training/SYSTEM-METHOD-seedN-KEY/  a training, shared by all runs that only evaluate differently
outputs/training/SYSTEM-METHOD-seedN_N-KEY/  checkpoints of seeds that are trained together, until they are trained
outputs/data/                              simulated trajectories
"""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metastruct.runs.files import sum_file
from metastruct.runs.records import COLUMNS

WORDS = ("run", "system", "method", "learner", "dynamics", "adaptation", "start", "date", "commit")
COUNTS = ("seed", "shots", "steps", "training_steps", "records")
PARTS = {
    "parameters": ("base", "hypernetwork", "code"),
    "seconds": ("training", "adaptation", "total"),
    "machine": ("cores",),
}
MEASURED = ("mean", "std", "median", "per_task")  # of a metric
NAME = re.compile(r"(?P<what>.+)-seed(?P<seed>\d+)(_(?P<last>\d+))?-[0-9a-f]+")  # of a run, or of a training
CHECKPOINTS = f"step-{'[0-9]' * 9}.ckpt"  # of outer steps
MAYBE = ("diverged_tasks", "training_diverged_at")  # a count, or null


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
        """The metrics of a finished run, or None: metrics.json is written last and counts the rows of records.csv.

        Whoever reads them finds what a run of this version leaves.
        """
        try:
            metrics = json.loads(self.metrics.read_text())
            with open(self.records, newline="") as file:
                reader = csv.DictReader(file)
                columns, rows = reader.fieldnames, len([float(row["value"]) for row in reader])
        except (OSError, ValueError, TypeError, KeyError, csv.Error, RecursionError, MemoryError):
            return None
        whole = is_summary(metrics) and metrics["records"] == rows and columns == [*COLUMNS]
        return metrics if whole else None

    def check_trained(self) -> None:
        """Is there a model with its configuration?

        Raises:
            FileNotFoundError: names what is missing, and how far the training is.
        """
        for path in (self.config, self.model):
            if not path.exists():
                raise FileNotFoundError(
                    f"{self.path} must be the folder of a finished run, got one without {path.name}{self.standing}"
                )

    @property
    def standing(self) -> str:
        """How far a run is that has not ended, in words of its last checkpoint; empty where there is none."""
        if steps := [*self.path.glob(CHECKPOINTS)]:
            return f": a training {_at(steps)}; name the run beside training/ when it has ended"
        run = NAME.fullmatch(self.path.name)
        for place in sorted((self.path.parent / "training").glob("*")) if run else ():
            training = NAME.fullmatch(place.name)
            if run and training and training["what"] == run["what"]:
                first, last = int(training["seed"]), int(training["last"] or training["seed"])
                if first <= int(run["seed"]) <= last:
                    steps += place.glob(CHECKPOINTS)
        return f": its training is {_at(steps)}, and its command goes on" if steps else ""

    def forget(self) -> None:
        """Remove the results, by whoever holds the folder's lock; first metrics.json, which says that there are any."""
        for path in (self.metrics, self.records, self.evaluation, self.report, self.model, sum_file(self.model)):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.figures, ignore_errors=True)


def _at(checkpoints: Sequence[Path]) -> str:
    """Such as "at outer step 300", the last one of which something was kept."""
    return f"at outer step {max(int(path.stem.rpartition('-')[2]) for path in checkpoints):,}"


def is_summary(metrics: Any) -> bool:
    """Does a tree hold what metrics.json holds, each of its kind?"""

    def number(value: Any) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool)

    if not isinstance(metrics, dict) or not all(isinstance(metrics.get(name), str) for name in WORDS):
        return False
    parts: dict[str, Any] = {name: metrics.get(name) for name in (*PARTS, "versions")}
    if not all(isinstance(part, dict) for part in parts.values()):
        return False
    return (
        all(number(metrics.get(name)) for name in COUNTS)
        and all(name in metrics and (metrics[name] is None or number(metrics[name])) for name in MAYBE)
        and all(number(parts[part].get(name)) for part, names in PARTS.items() for name in names)
        and isinstance(parts["machine"].get("platform"), str)
        and isinstance(parts["versions"].get("torch"), str)
        and all({*value} >= {*MEASURED} for value in metrics.values() if isinstance(value, dict) and "mean" in value)
    )


def data_folder(outputs: str) -> Path:
    """Where simulated trajectories are kept."""
    return Path(outputs) / "data"
