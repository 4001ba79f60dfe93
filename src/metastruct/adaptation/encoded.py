"""Amortised adaptation: the code of a task is what an encoder makes of its observations, refined where asked for."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from metastruct.adaptation.adaptation import Adaptation, Fit, Prior
from metastruct.adaptation.gradient import GradientDescent
from metastruct.data.observations import Observations
from metastruct.dynamics.model import ModulatedModel
from metastruct.objectives.objective import Objective


class Encoded(Adaptation):
    """One pass of the encoder that was trained beside the model (learner=amortised), then gradient steps.

    A task whose observations the start explains better keeps the start.

    Args:
        steps: the pass is the first; the others are as of `GradientDescent` (semi-amortised, Kim et al. 2018).
        learning_rate: of those.
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
        with torch.no_grad():
            codes = model.encoded(observations)
            before, after = (objective.loss(model, observations, each)[None] for each in (start, codes))
            codes, after = torch.where((after < before).mT, codes, start), torch.minimum(after, before)
        if self.steps == 1:
            return Fit(codes, torch.cat([before, after]))
        descent = GradientDescent(self.steps - 1, self.learning_rate)
        fit = descent.fit(model, objective, observations, codes, prior)
        return replace(fit, trace=torch.cat([before, fit.trace]))
