"""The inner loop of a learner as the adaptation: plain gradient descent on the code, at one rate.

z_0 = the start (zero, where the learner keeps no codes),  z_{i+1} = z_i - a dL(z_i)/dz
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from metastruct.adaptation.adaptation import Adaptation, Fit, Prior, frozen
from metastruct.adaptation.descent import descend
from metastruct.data.observations import Observations
from metastruct.dynamics.model import ModulatedModel
from metastruct.objectives.objective import Objective


class InnerLoop(Adaptation):
    """As CAVIA adapts (Zintgraf et al. 2019).

    Args:
        steps: N_test, as many as in the training or more.
        learning_rate: a.
    """

    def __init__(self, steps: int, learning_rate: float):
        self.steps, self.learning_rate = steps, learning_rate

    def fit(
        self,
        model: ModulatedModel,
        objective: Objective,
        observations: Observations,
        start: Tensor,
        prior: Prior | None = None,
    ) -> Fit:
        loss = partial(objective.loss, model)
        rates = start.new_full(start.shape[-1:], self.learning_rate)
        with frozen(model):
            codes, trace = descend(loss, observations, start.detach().clone(), rates, self.steps)
        with torch.no_grad():
            codes = codes.detach()
            trace.append(loss(observations, codes))
        return Fit(codes, torch.stack(trace))
