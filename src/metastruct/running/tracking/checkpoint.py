"""Checkpoints that survive being killed: written whole, summed, and two of them kept."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from lightning import Callback, Trainer

from metastruct.runs.files import read_checked, sum_file, write_checked


def last_good(folder: Path) -> Path | None:
    """The newest checkpoint of the folder whose sum is right; damaged ones are passed over."""
    return next((path for path in _newest_first(folder) if read_checked(path) is not None), None)


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.ckpt"), reverse=True)


class Checkpoints(Callback):
    """Saves the trainer's whole state at most every `seconds`; a state that is not finite is never saved."""

    def __init__(self, folder: Path, seconds: float):
        self.folder, self.seconds = folder, seconds
        self.saved = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, learner: Any) -> None:
        """Write a checkpoint if the last one is old enough."""
        if time.monotonic() - self.saved < self.seconds or not learner.finite():
            return
        self.save(trainer, learner)
        self.saved = time.monotonic()

    def on_save_checkpoint(self, trainer: Trainer, learner: Any, checkpoint: dict[str, Any]) -> None:
        """A checkpoint says which training it is of, by the name of its folder, which holds the training's key."""
        checkpoint["training"] = self.folder.name

    def save(self, trainer: Trainer, learner: Any) -> None:
        """Write a checkpoint, whole or not at all."""
        temporary = self.folder / ".writing"
        temporary.unlink(missing_ok=True)  # which may be a link
        trainer.save_checkpoint(temporary)
        write_checked(self.folder / f"step-{learner.outer_step:09d}.ckpt", temporary.read_bytes())
        temporary.unlink()
        for old in _newest_first(self.folder)[2:]:
            remove(old)


def remove(path: Path) -> None:
    """Remove a checked file and its sum."""
    path.unlink(missing_ok=True)
    sum_file(path).unlink(missing_ok=True)
