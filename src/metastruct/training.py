"""Meta-training with all that keeps it safe: one process at a time, resumable at any moment, done once."""

from __future__ import annotations

import io
import logging
import shutil
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning import Trainer as LightningTrainer
from lightning.pytorch.loggers import Logger
from torch.utils.data import DataLoader, TensorDataset

from metastruct.config import Trainer
from metastruct.learners.learner import LAYOUT, Diverged, Learner
from metastruct.learners.recording import LONG
from metastruct.learners.replicas import together
from metastruct.model_file import Foreign, contents
from metastruct.runs.files import clear, locked, locked_if_free, read_checked, write_checked
from metastruct.runs.folder import group_folder
from metastruct.tracking.alone import Alone
from metastruct.tracking.checkpoint import Checkpoints, last_good, remove
from metastruct.tracking.console import TrainingProgress, note
from metastruct.validation.values import has_compiler

MODEL = "model.ckpt"


def trained(folder: Path) -> bytes | None:
    """The finished model of a training folder, or None: of this training, which its file says, and of no other."""
    content = read_checked(folder / MODEL)
    if content is None:
        return None
    try:
        contents(content, folder.name)
    except Foreign as problem:
        note(f"{folder / MODEL} {problem}; it is made again")
        return None
    return content


def discard(folder: Path, content: bytes) -> None:
    """Remove this model from a training folder, if it is still there when nobody trains in it."""
    with locked(folder, lambda: note(f"waiting for another process that trains in {folder}")):
        if read_checked(folder / MODEL) == content:
            remove(folder / MODEL)


def train(
    learner: Learner, folder: Path, settings: Trainer, logger: Logger | None = None, again: bool = False
) -> bytes:
    """Train to the end, once; returns the model file, which stays in the folder.

    Args:
        settings: of the machinery.
        again: begin anew, whatever there is; what another process does in the folder is waited for.

    Raises:
        Diverged: the loss is no longer finite, and the learner does not take that for a result.
    """
    with locked(folder, lambda: note(f"waiting for another process that trains in {folder}")):
        if again:
            clear(folder)
        done = trained(folder)
        if done is not None:
            return done
        fit(learner, folder, settings, logger)
        (result,) = learner.cpu().results()
        return keep(result, learner, folder)


def train_together(
    learners: Mapping[Path, Callable[[], Learner]], settings: Trainer, again: bool = False
) -> tuple[set[Path], dict[Path, str]]:
    """Train what is not trained yet as one; returns the trainings that were made, and why one left no model.

    Each leaves what it would leave alone. What another process trains is left to it, and a training that would be
    alone to whoever needs it. Checkpoints go to a folder of the group, until it has ended.

    Args:
        learners: makes the learner of each training folder; they differ in their seed alone.
        settings: of the machinery.
        again: begin anew where no other process is at work.
    """
    failed: dict[Path, str] = {}
    with ExitStack() as locks:
        free = [folder for folder in learners if locks.enter_context(locked_if_free(folder))]
        missing = [folder for folder in free if again or trained(folder) is None]
        if len(missing) < 2:
            return set(), failed
        learner = together([learners[folder]() for folder in missing])
        if not learner.steps:
            return set(), failed
        for folder in missing:
            if again:
                clear(folder)
        note(f"training {len(missing)} seeds together")
        group = group_folder(missing)
        group.mkdir(parents=True, exist_ok=True)
        if again:
            clear(group)
        fit(learner, group, settings, None)
        for folder, result in zip(missing, learner.cpu().results(), strict=True):
            try:
                keep(result, learner, folder)
            except Diverged as error:
                failed[folder] = str(error)
        shutil.rmtree(group)
    return set(missing), failed


def keep(result: dict[str, Any], learner: Learner, folder: Path) -> bytes:
    """Write the model file of a finished training; returns its content.

    Raises:
        Diverged: the loss is no longer finite, and the learner does not take that for a result.
    """
    if result["diverged_at"] is not None and not learner.may_diverge:
        raise Diverged(
            f"the training loss is not finite at outer step {result['diverged_at']} of {learner.steps}; "
            "lower optimizer.base_rate and optimizer.code_rate"
        )
    buffer = io.BytesIO()
    torch.save(result | {"training": folder.name}, buffer)
    write_checked(folder / MODEL, buffer.getvalue())
    for path in folder.glob("step-*.ckpt"):
        remove(path)
    return buffer.getvalue()


def resumable(folder: Path) -> Path | None:
    """The last good checkpoint of this training, if there is one; others that lie in the folder are removed."""
    while (path := last_good(folder)) is not None:
        problem = foreign(path)
        if problem is None:
            return path
        note(f"{path} {problem} and is removed")
        remove(path)
    return None


def foreign(path: Path) -> str | None:
    """Why a checkpoint does not belong to the training of its folder, or None."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        layout, training = content["learner"].get("layout"), content.get("training")
    except (RuntimeError, UnpicklingError, EOFError, KeyError, TypeError, AttributeError):
        return "holds something else"
    if layout != LAYOUT:
        return "was written by another version"
    return None if training == path.parent.name else f"is of the training {training}"


def fit(learner: Learner, folder: Path, settings: Trainer, logger: Logger | None) -> None:
    """Run Lightning's loop from the last good checkpoint of the folder, if there is one, to the last outer step."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    trainer = LightningTrainer(
        accelerator="gpu" if settings.accelerator != "cpu" and torch.cuda.is_available() else "cpu",
        devices=1,
        max_epochs=-1,
        logger=logger or False,
        callbacks=[Checkpoints(folder, settings.checkpoint_seconds), TrainingProgress(learner.steps)],
        log_every_n_steps=1,
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,  # where Lightning looks for checkpoints of its own, and finds none
        plugins=[Alone()],
    )
    tick = DataLoader(TensorDataset(torch.zeros(1)), batch_size=None)  # the learner draws its own batches
    for path in folder.glob("hpc_ckpt_*"):
        path.unlink()
    if settings.compile == "always" or (settings.compile == "auto" and learner.steps >= LONG and has_compiler()):
        for recording in learner.recordings.values():
            recording.compile()
    start = resumable(folder)
    if start is not None:
        note(f"going on from {start}")
    try:
        trainer.fit(learner, tick, ckpt_path=start, weights_only=True)
    except SystemExit:  # what Lightning makes of an interrupt from the keyboard
        raise KeyboardInterrupt from None
