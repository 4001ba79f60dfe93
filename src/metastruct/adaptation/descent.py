"""Plain gradient descent on a code that is a weight change: the inner loop of MAML and ANIL, in training and after it.

    z_0 = 0,  z_{i+1} = z_i - a * dL(z_i)/dz

with a the learning rate of each number. Differentiable through its steps where a learner asks for that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from metastruct.adaptation.adaptation import Adaptation, Fit, Prior, frozen
from metastruct.data.observations import Observations
from metastruct.dynamics.model import ModulatedModel
from metastruct.modulation.weights import Weights
from metastruct.objectives.objective import Objective


def descend(
    loss: Callable[[Observations, Tensor], Tensor],
    observations: Observations,
    codes: Tensor,
    rates: Tensor,
    steps: int,
    second_order: bool = False,
) -> tuple[Tensor, list[Tensor]]:
    """Codes `[..., tasks, code]` after the steps, and the losses `[..., tasks]` before each of them.

    The result depends on the rates `[..., code]` differentiably; on the base through the gradients only if
    `second_order`.
    """
    trace = []
    for _ in range(steps):
        with torch.enable_grad():
            at = codes if second_order else codes.detach()
            at = at if at.requires_grad else at.requires_grad_()
            losses = loss(observations, at)
            # The sum over tasks makes the gradient of a code independent of its batch mates.
            (gradient,) = torch.autograd.grad(losses.sum(), at, create_graph=second_order)
        codes = codes - rates[..., None, :] * gradient
        trace.append(losses.detach())
    return codes, trace


class Descent(Adaptation):
    """Gradient descent at the rates that the modulation keeps, as a learner of initialisations trained for it.

    Args:
        steps: number of steps, the learner's own or more.
        rate_factor: what the kept rates are multiplied by.
    """

    def __init__(self, steps: int, rate_factor: float = 1.0):
        self.steps, self.rate_factor = steps, rate_factor

    def fit(
        self,
        model: ModulatedModel,
        objective: Objective,
        observations: Observations,
        start: Tensor,
        prior: Prior | None = None,
    ) -> Fit:
        loss = partial(objective.loss, model)
        with frozen(model):
            codes, trace = descend(loss, observations, start.detach().clone(), self.rates(model), self.steps)
        with torch.no_grad():
            codes = codes.detach()
            trace.append(loss(observations, codes))
        return Fit(codes, torch.stack(trace))

    def rates(self, model: ModulatedModel) -> Tensor:
        """The learning rate of each number of a code, `[code]`."""
        modulation = model.modulation
        assert isinstance(modulation, Weights)
        return self.rate_factor * modulation.spread(modulation.rates)
