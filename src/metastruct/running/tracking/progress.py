"""How a training gets on."""

from __future__ import annotations

import sys
import time
from typing import Any

from lightning import Callback, Trainer
from tqdm import tqdm

from metastruct.running.tracking.console import PLAIN_EVERY, note


def shows_bars() -> bool:
    """Is there a terminal, or a notebook, where a line can be written over?"""
    return sys.stdout.isatty() or type(sys.stdout).__module__.startswith("ipykernel")


class TrainingProgress(Callback):
    """A live bar of outer steps with rate, time left and loss; plain lines now and then where it cannot be shown."""

    def __init__(self) -> None:
        self.bar = tqdm(disable=True)

    def on_fit_start(self, trainer: Trainer, learner: Any) -> None:
        """Show the bar."""
        self.spoken = time.monotonic()
        self.bar = tqdm(
            total=learner.steps,
            initial=learner.outer_step,
            desc="training",
            unit=" steps",
            file=sys.stdout,
            disable=not shows_bars(),
            leave=False,
        )

    def on_train_batch_end(self, trainer: Trainer, learner: Any, *_: Any) -> None:
        """Move the bar, or print a line now and then."""
        step, loss = learner.outer_step, learner.loss
        if not self.bar.disable:
            self.bar.set_postfix_str(f"loss {loss:.2e}", refresh=False)
            self.bar.update(step - self.bar.n)
        elif time.monotonic() - self.spoken > PLAIN_EVERY:
            self.spoken = time.monotonic()
            note(f"training: step {step} of {learner.steps}, loss {loss:.2e}")

    def on_fit_end(self, trainer: Trainer, learner: Any) -> None:
        """Take the bar away."""
        self.bar.close()

    def on_exception(self, trainer: Trainer, learner: Any, exception: BaseException) -> None:
        """Take the bar away, whatever happened."""
        self.bar.close()
