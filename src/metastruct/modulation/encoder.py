"""Observations -> code, in one pass: what stands in for a search when nobody wants to wait for one."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Encoder(nn.Module, ABC):
    """A net that is trained beside the model.

    Attributes:
        reads: the parts of observations that it looks at beside states, dx/dt and inputs.
    """

    reads: tuple[str, ...] = ()

    @abstractmethod
    def forward(
        self, x: Tensor, dxdt: Tensor, inputs: Tensor | None, parameters: Tensor | None, mask: Tensor | None
    ) -> Tensor:
        """Codes `[..., tasks, code]` of points `[..., tasks, points, n]`.

        Args:
            x, dxdt: states and their derivatives, standardised.
            inputs: standardised; None where nothing drives the members.
            parameters: the true mu, the same at each point; None where nobody tells.
            mask: which points count `[..., tasks, points]`; None where all do.
        """

    def settle(self, parameters: Tensor) -> None:
        """Look at the parameters of the training tasks `[tasks, parameters]` before the training begins."""
        return
