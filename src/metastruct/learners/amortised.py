"""Amortised codes: a net, trained beside base and hyper-network, gives the code of a task from its observations.

    z_k = encoder(some points of task k)
    min over base, hyper-network and encoder of the mean over tasks of L_k(z_k), on other points

How many points are encoded is drawn anew for each task and step, uniform from one to all of a draw, as a new task may
have few or many.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from metastruct.data.observations import Observations
from metastruct.learners.episodic import Episodic


class Amortised(Episodic):
    """Garnelo et al. 2018, with a code of a modulation in the place of their representation beside x."""

    def __init__(self, **frame: Any):
        super().__init__(draws=3, **frame)
        members = frame["recordings"].members
        if all(member.parameters is not None for member in members):
            self.model.settle(torch.as_tensor(np.stack([member.parameters for member in members])))

    def losses(self, tasks: Tensor, points: Tensor) -> Tensor:
        """The third draw of points says how many of the first are encoded."""
        support, query, chance = points
        size = 1 + chance[..., :1] % chance.shape[-1]
        mask = torch.arange(chance.shape[-1], device=points.device) < size
        return self.outer_losses(replace(self.observed(tasks, support), mask=mask), self.observed(tasks, query))

    def adapted(self, support: Observations, differentiably: bool = False) -> Tensor:
        return self.model.encoded(support)
