"""Fitting the codes of new tasks to their support data, base and hyper-network frozen."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor

from metastruct.dynamics.model import ModulatedModel


@dataclass(frozen=True)
class Fit:
    """What an adaptation returns: codes `[tasks, code]` and the loss of each task before each step and at the end."""

    codes: Tensor
    trace: Tensor  # [steps + 1, tasks]


class Adaptation(ABC):
    """A way to fit codes; all tasks at once, no task aware of its batch mates."""

    @abstractmethod
    def fit(self, model: ModulatedModel, states: Tensor, derivatives: Tensor, start: Tensor) -> Fit:
        """Codes from support data `[tasks, points, state]`, beginning at `start` `[tasks, code]`."""


@contextmanager
def frozen(model: ModulatedModel) -> Iterator[None]:
    """Base and hyper-network without gradients; afterwards those that had them have them again."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
