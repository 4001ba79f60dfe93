"""CAVIA: base and hyper-network from which a few steps of gradient descent on the code reach every task.

    z_k = K steps of descent on L_k(z) from z = 0, on a draw of points of task k
    min over base and hyper-network of the mean over tasks of L_k(z_k), on another draw

It is MAML with an inner loop of the code alone, and the second-order form of codes that return to zero before every
batch (learner.codes=reset).
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from metastruct.adaptation.descent import descend
from metastruct.data.observations import Observations
from metastruct.learners.episodic import Episodic


class CAVIA(Episodic):
    """Zintgraf et al. 2019, with a modulation in the place of their input beside x; Dupont et al. 2022 for images.

    Args:
        inner_steps: K.
        inner_rate: learning rate of the inner steps.
        first_order: leave out the derivative of the inner gradients.
    """

    def __init__(self, inner_steps: int, inner_rate: float, first_order: bool, **frame: Any):
        super().__init__(draws=2, **frame)
        self.inner_steps, self.inner_rate, self.second_order = inner_steps, inner_rate, not first_order

    def adapted(self, support: Observations, differentiably: bool = False) -> Tensor:
        codes = self.no_change(support)
        rates = codes.new_full((self.model.code_dim,), self.inner_rate)
        second_order = differentiably and self.second_order
        return descend(self.loss_of, support, codes, rates, self.inner_steps, second_order)[0]
