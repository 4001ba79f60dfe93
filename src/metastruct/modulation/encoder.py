"""Observations -> code, in one pass: what stands in for a search when nobody wants to wait for one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import Tensor, nn


class Encoder(nn.Module, ABC):
    """A net that is trained beside the model.

    Attributes:
        reads: the parts of observations that it looks at, as far as they are there.
    """

    reads: tuple[str, ...]

    @abstractmethod
    def forward(self, parts: Mapping[str, Tensor], mask: Tensor | None) -> Tensor:
        """Codes `[..., tasks, code]`.

        Args:
            parts: standardised, by name, each `[..., tasks, points, n]`.
            mask: which points count `[..., tasks, points]`; None where all do.
        """

    def settle(self, parameters: Tensor) -> None:
        """Look at the parameters of the training tasks `[tasks, parameters]` before the training begins."""
        return
