"""What a model is fitted by: one residual that training squares and that every adaptation of a code uses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from metastruct.data.observations import Observations
    from metastruct.dynamics.model import ModulatedModel


class Objective(ABC):
    """A whitened residual: of spread one, up to a common factor, where the model is as good as its noise allows.

    Attributes:
        reads: the parts of the observations that it looks at, as far as they are there.
        requires: those that it cannot do without.
        window: consecutive samples of a trajectory that it looks at together.
    """

    reads: tuple[str, ...]
    requires: tuple[str, ...] = ("states",)
    window: int = 1

    def check(self, parts: Collection[str]) -> None:
        """Do observations with these parts have what it needs, and does it read what drives the members?

        Raises:
            ValueError: they do not, or it does not.
        """
        name = type(self).__name__.lower()
        if lacking := [part for part in self.requires if part not in parts]:
            raise ValueError(
                f"objective={name} needs {' and '.join(lacking)}, which the data do not have; they have "
                f"{', '.join(parts)}; use another objective"
            )
        if "inputs" in parts and "inputs" not in self.reads:
            raise ValueError(
                f"the members are driven by inputs, which objective={name} does not read; use another objective"
            )

    @abstractmethod
    def residual(self, model: ModulatedModel, observations: Observations, codes: Tensor | None) -> Tensor:
        """r `[..., tasks, residuals]` for codes `[..., tasks, code]`; without codes that of the base net.

        The residuals of a point, or of a window, follow each other, and are zero where a point is masked.
        """

    def components(self, state_dim: int) -> int:
        """How many kinds of residuals follow each other, again and again, each with a noise of its own."""
        return state_dim

    def field_noise(self, noise: Tensor, state_dim: int) -> Tensor:
        """What the variances `[components]` of the residual say of dx/dt, `[state]`, in units of its spread squared.

        Nothing where the residual is of something else.
        """
        return noise.new_zeros(state_dim)

    def loss(self, model: ModulatedModel, observations: Observations, codes: Tensor | None) -> Tensor:
        """Sum of r^2 over the components, mean over the points of a task, one value a task, `[..., tasks]`."""
        residual = self.residual(model, observations, codes)
        return (residual * residual).sum(-1) / observations.count
