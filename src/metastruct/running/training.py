"""Meta-training with all that keeps it safe: one process at a time, resumable at any moment, done once."""

from __future__ import annotations

import copy
import io
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning import Trainer as LightningTrainer
from lightning.pytorch.loggers import Logger
from torch.utils.data import DataLoader, TensorDataset

from metastruct.config.schema import Trainer
from metastruct.learners.course import Diverged
from metastruct.learners.learner import LAYOUT, Learner
from metastruct.recording.recorded import LONG
from metastruct.running.duration import steps_within
from metastruct.running.model_file import Foreign, contents
from metastruct.running.tracking.alone import Alone, own_defaults
from metastruct.running.tracking.checkpoint import Beside, Checkpoints, newest_first, remove
from metastruct.running.tracking.console import note, working
from metastruct.running.tracking.progress import TrainingProgress
from metastruct.running.validation.values import has_compiler
from metastruct.runs.files import clear, locked, read_checked, set_aside, sum_file, write_checked

MODEL = "model.ckpt"
LEFT = (
    "measuring what the training left unexplained, for error bars; of noisy states this takes as long as the training"
)


def trained(folder: Path) -> bytes | None:
    """The finished model of a training folder, or None: of this training, which its file says, and of no other."""
    return _looked_at(folder / MODEL)[0]


def _looked_at(path: Path) -> tuple[bytes | None, str | None]:
    """A model file, or None and what is wrong with it; nothing is, where a write did not come to its end."""
    content = read_checked(path)
    if content is None:
        return None, "does not have the sum beside it" if path.exists() and sum_file(path).exists() else None
    try:
        contents(content, path.parent.name)
    except Foreign as problem:
        return None, str(problem)
    return content, None


def discard(folder: Path, content: bytes, problem: Foreign) -> None:
    """Set this model of a training folder aside, if it is still there when nobody trains in it."""
    with locked(folder, lambda: note(f"waiting for another process that trains in {folder}")):
        if read_checked(folder / MODEL) == content:
            _set_aside(folder / MODEL, str(problem))


def _set_aside(path: Path, problem: str) -> None:
    place = set_aside(path)
    note(f"{path} {problem}; it is made again, and set aside as {place.name}")


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
        record, problem = _looked_at(folder / MODEL)
        if record is not None:
            return record
        if problem is not None:
            _set_aside(folder / MODEL, problem)
        fit(learner, folder, settings, logger)
        with working(LEFT):
            (result,) = learner.cpu().results()
        return keep(result, learner, folder)


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
    """The last good checkpoint of this training, if there is one; others that lie in the folder are set aside."""
    for path in newest_first(folder):
        if not sum_file(path).exists():  # its write did not come to its end
            remove(path)
            continue
        problem = "does not have the sum beside it" if read_checked(path) is None else foreign(path)
        if problem is None:
            return path
        note(f"{path} {problem} and is set aside as {set_aside(path).name}")
    return None


def foreign(path: Path) -> str | None:
    """Why a checkpoint does not belong to the training of its folder, or None."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        layout, training = content["learner"].get("layout"), content.get("training")
    except Exception:  # whatever torch makes of the bytes of a stranger
        return "holds something else"
    if layout != LAYOUT:
        return "was written by another version"
    return None if training == path.parent.name else f"is of the training {training}"


def fit(
    learner: Learner,
    folder: Path,
    settings: Trainer,
    logger: Logger | None = None,
    sample: Callable[[], Learner] | None = None,
) -> None:
    """Run Lightning's loop from the last good checkpoint of the folder, if there is one, to the last outer step.

    Args:
        sample: makes a learner of one seed, whose speed says how many outer steps a time allows; by default a copy.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    with own_defaults():
        trainer = LightningTrainer(
            accelerator="gpu" if settings.accelerator != "cpu" and torch.cuda.is_available() else "cpu",
            devices=1,
            max_epochs=-1,
            logger=logger or False,
            callbacks=[Checkpoints(folder, settings.checkpoint_seconds), TrainingProgress()],
            log_every_n_steps=1,
            num_sanity_val_steps=0,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=folder,  # where Lightning looks for checkpoints of its own, and finds none
            plugins=[Alone(), Beside()],
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
    elif settings.seconds is not None:
        trial = copy.deepcopy(learner) if sample is None else sample()
        learner.steps = steps_within(settings.seconds, trial.to(trainer.strategy.root_device))
        note(f"{learner.steps} steps fit into trainer.seconds={settings.seconds:g}")
    try:
        trainer.fit(learner, tick, ckpt_path=start, weights_only=True)
    except SystemExit:  # what Lightning makes of an interrupt from the keyboard
        raise KeyboardInterrupt from None
