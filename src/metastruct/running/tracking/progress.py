"""How a training gets on."""

from __future__ import annotations

import time
from typing import Any

from lightning import Callback, Trainer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from metastruct.running.tracking.console import console, note

PLAIN_EVERY = 10.0  # seconds between two lines where no terminal shows a bar


class TrainingProgress(Callback):
    """A live bar of outer steps with the current loss; plain lines now and then where there is no terminal."""

    def __init__(self) -> None:
        self.spoken = time.monotonic()
        columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("loss {task.fields[loss]}"))
        self.bar = Progress(
            *columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, disable=not console.is_terminal
        )

    def on_fit_start(self, trainer: Trainer, learner: Any) -> None:
        """Show the bar."""
        self.bar.start()
        self.task = self.bar.add_task("training", total=learner.steps, completed=learner.outer_step, loss="-")

    def on_train_batch_end(self, trainer: Trainer, learner: Any, *_: Any) -> None:
        """Move the bar, or print a line now and then."""
        step, loss = learner.outer_step, learner.loss
        self.bar.update(self.task, completed=step, loss=f"{loss:.2e}")
        if not console.is_terminal and time.monotonic() - self.spoken > PLAIN_EVERY:
            self.spoken = time.monotonic()
            note(f"training: outer step {step} of {learner.steps}, loss {loss:.2e}")

    def on_fit_end(self, trainer: Trainer, learner: Any) -> None:
        """Take the bar away."""
        self.bar.stop()

    def on_exception(self, trainer: Trainer, learner: Any, exception: BaseException) -> None:
        """Take the bar away, whatever happened."""
        self.bar.stop()
