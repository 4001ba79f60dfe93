"""How the training of one seed went."""

from __future__ import annotations

from dataclasses import dataclass, field


class Diverged(RuntimeError):
    """The loss or a parameter is no longer finite."""


@dataclass
class Course:
    """How the training of one seed went."""

    history: list[tuple[int, float]] = field(default_factory=list)  # outer step, training loss there
    diverged_at: int | None = None  # the outer step where the loss ceased to be finite
