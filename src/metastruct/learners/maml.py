"""MAML: base weights from which a few steps of gradient descent reach every task.

    z_k = K steps of descent on L_k(base + z) from z = 0, on a draw of points of task k
    min over base (and rates a) of the mean over tasks of L_k(base + z_k), on another draw

With the change restricted to the output layer it is ANIL. All tasks of a batch go through their inner steps together.
"""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn

from metastruct.adaptation.descent import descend
from metastruct.data.observations import Observations
from metastruct.learners.initialisation import Initialisation


class MAML(Initialisation):
    """Finn et al. 2017; with an output layer only Raghu et al. 2020 (ANIL); learned rates as in Antoniou et al. 2019.

    Args:
        inner_steps: K.
        inner_rate: learning rate of the inner steps, the first one of every tensor where rates are learned.
        first_order: leave out the derivative of the inner gradients (FOMAML).
        learn_rates: learn the logarithm of one rate for every weight matrix and bias.
    """

    def __init__(self, inner_steps: int, inner_rate: float, first_order: bool, learn_rates: bool, **frame: Any):
        super().__init__(draws=2, **frame)
        self.inner_steps, self.second_order = inner_steps, not first_order
        self.weights.rates.fill_(inner_rate)
        self.log_rates = nn.Parameter(self.weights.rates.log()) if learn_rates else None

    @property
    def evaluations(self) -> int:
        _, tasks, draws = self.batches.shape
        return (self.inner_steps + 1) * tasks * draws * self.objective.window

    def outer_update(self, step: int) -> Tensor:
        loss = super().outer_update(step)
        if self.log_rates is not None:
            self.weights.rates.copy_(self.log_rates.detach().exp())
        return loss

    def outer_losses(self, *draws: Observations) -> Tensor:
        """On the query draw after the inner steps on the support draw."""
        support, query = draws
        rates = self.weights.rates if self.log_rates is None else self.log_rates.exp()
        codes = self.no_change(support)
        spread = self.weights.spread(rates)
        codes, _ = descend(self.loss_of, support, codes, spread, self.inner_steps, self.second_order)
        return self.loss_of(query, codes)

    def diagnostics(self) -> dict[str, float]:
        rates = self.weights.rates
        return {"train/inner_rate": math.exp(float(rates.log().mean()))}
