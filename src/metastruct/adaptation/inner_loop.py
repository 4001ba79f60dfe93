"""The inner loop of a learner as the adaptation: plain gradient descent on the code, at one rate.

z_0 = the start (zero, where the learner keeps no codes),  z_{i+1} = z_i - a dL(z_i)/dz
"""

from __future__ import annotations

from torch import Tensor

from metastruct.adaptation.descent import Descent
from metastruct.dynamics.model import ModulatedModel


class InnerLoop(Descent):
    """As CAVIA adapts (Zintgraf et al. 2019).

    Args:
        steps: N_test, as many as in the training or more.
        learning_rate: a.
    """

    def __init__(self, steps: int, learning_rate: float):
        super().__init__(steps)
        self.learning_rate = learning_rate

    def rates(self, model: ModulatedModel) -> Tensor:
        return model.dynamics.state_mean.new_full((model.code_dim,), self.learning_rate)
