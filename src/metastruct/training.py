"""Meta-training with all that keeps it safe: one process at a time, resumable at any moment, done once."""

from __future__ import annotations

import io
import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from lightning import Trainer
from lightning.pytorch.loggers import Logger

from metastruct.data.datamodule import FamilyData
from metastruct.learners.learner import Learner
from metastruct.runs.files import locked, read_checked, write_checked
from metastruct.tracking.checkpoint import Checkpoints, last_good, remove
from metastruct.tracking.console import TrainingProgress, note

MODEL = "model.ckpt"


def trained(folder: Path) -> bytes | None:
    """The finished model of a training folder, or None."""
    return read_checked(folder / MODEL)


def train(learner: Learner, data: FamilyData, folder: Path, settings: dict[str, Any], logger: Logger | None) -> bytes:
    """Train to the end, once; returns the model file, which stays in the folder.

    Raises:
        Diverged: the loss is no longer finite, and the learner does not take that for a result.
    """
    with locked(folder, lambda: note(f"waiting for another process that trains in {folder}")):
        done = trained(folder)
        if done is not None:
            return done
        fit(learner, data, folder, settings, logger)
        learner.cpu()
        content = {
            "model": learner.model.state_dict(),
            "codes": learner.codes.detach(),
            "outer_step": learner.outer_step,
            "seconds": learner.seconds,
            "history": learner.history,
            "diverged_at": learner.diverged_at,
        }
        buffer = io.BytesIO()
        torch.save(content, buffer)
        write_checked(folder / MODEL, buffer.getvalue())
        for path in folder.glob("step-*.ckpt"):
            remove(path)
        return buffer.getvalue()


def fit(learner: Learner, data: FamilyData, folder: Path, settings: dict[str, Any], logger: Logger | None) -> None:
    """Run Lightning's loop from the last good checkpoint of the folder, if there is one, to the last outer step."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    trainer = Trainer(
        accelerator="gpu" if settings["accelerator"] != "cpu" and torch.cuda.is_available() else "cpu",
        devices=1,
        max_epochs=-1,
        logger=logger or False,
        callbacks=[Checkpoints(folder, settings["checkpoint_seconds"]), TrainingProgress(learner.steps)],
        log_every_n_steps=1,
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    start = last_good(folder)
    if start is not None:
        note(f"going on from {start}")
    try:
        trainer.fit(learner, data, ckpt_path=start, weights_only=True)
    except SystemExit:  # what Lightning makes of an interrupt from the keyboard
        raise KeyboardInterrupt from None
