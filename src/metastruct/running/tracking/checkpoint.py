"""Checkpoints that survive being killed: written whole, summed, and two of them kept."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, Trainer
from lightning.fabric.plugins import TorchCheckpointIO

from metastruct.runs.files import sum_file, write_checked


def newest_first(folder: Path) -> list[Path]:
    """The checkpoints of a training."""
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
        trainer.save_checkpoint(self.folder / f"step-{learner.outer_step:09d}.ckpt")
        for old in newest_first(self.folder)[2:]:
            remove(old)


class Beside(TorchCheckpointIO):
    """Writes a checkpoint beside its place; Lightning goes by way of the temporary folder, which may be small."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write it with its sum."""
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        write_checked(Path(path), buffer.getvalue())


def remove(path: Path) -> None:
    """Remove a checked file and its sum."""
    path.unlink(missing_ok=True)
    sum_file(path).unlink(missing_ok=True)
