"""A metric: what one number a task says of the adapted members of an evaluation."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from metastruct.evaluation.adapted import Adapted

Array = np.ndarray


class Metric(ABC):
    """One concept a class, one class a file, one yaml in conf/metric that names it and says what others must know.

    No task may be aware of its batch mates: a task whose values are not finite is its own problem.
    """

    @abstractmethod
    def measure(self, adapted: Adapted) -> dict[str, Array]:
        """Values `[tasks]` by component; "" stands for the whole state."""
