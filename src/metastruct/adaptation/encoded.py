"""Amortised adaptation: the code of a task is what an encoder makes of its observations; nothing is searched."""

from __future__ import annotations

import torch
from torch import Tensor

from metastruct.adaptation.adaptation import Adaptation, Fit, Prior
from metastruct.data.observations import Observations
from metastruct.dynamics.model import ModulatedModel
from metastruct.objectives.objective import Objective


class Encoded(Adaptation):
    """One pass of the encoder that was trained beside the model (learner=amortised)."""

    @torch.no_grad()
    def fit(
        self,
        model: ModulatedModel,
        objective: Objective,
        observations: Observations,
        start: Tensor,
        prior: Prior | None = None,
    ) -> Fit:
        codes = model.encoded(observations.parts, observations.mask)
        losses = [objective.loss(model, observations, each) for each in (start, codes)]
        return Fit(codes, torch.stack(losses))
