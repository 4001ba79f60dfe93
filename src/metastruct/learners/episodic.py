"""What the learners share whose tasks are episodes: a code from some observations, judged by others.

    z_k from one draw of the points of task k;  min of the mean over tasks of L_k(z_k), L_k on another draw

Codes are not kept, so that training and adaptation ask for the same thing (Vinyals et al. 2016).
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from metastruct.data.observations import Observations
from metastruct.learners.initialisation import Initialisation

MOST = 256  # points of a task that tell what codes leave


class Episodic(Initialisation):
    """A learner with a support and a query draw in each outer step.

    Attributes:
        inner_steps: gradient steps on the support draw.
    """

    inner_steps = 0

    @property
    def evaluations(self) -> int:
        _, tasks, draws = self.batches.shape
        return (self.inner_steps + 1) * tasks * draws * self.objective.window

    @abstractmethod
    def adapted(self, support: Observations, differentiably: bool = False) -> Tensor:
        """Codes `[..., tasks, code]` from observations, as a new task gets its own."""

    def outer_losses(self, *draws: Observations) -> Tensor:
        """On the query draw with codes from the support draw, and the penalty of the modulation."""
        support, query = draws
        penalty = self.model.modulation.penalty()
        losses = self.loss_of(query, self.adapted(support, differentiably=True))
        return losses + (penalty[..., None] if isinstance(penalty, Tensor) else penalty)

    def unexplained(self) -> Tensor:
        """Of up to 256 points of each training task, with codes from those."""
        tasks = torch.arange(self.tasks, device=self.device).expand(*self.replicas, -1)
        fewest = int(self.counts.min())
        draws = torch.linspace(0, fewest - 1, min(fewest, MOST), device=self.device).long()
        observations = self.observed(tasks, draws.expand(*tasks.shape, -1))
        codes = self.adapted(observations).detach()
        with torch.no_grad():
            squares = self.objective.unexplained(self.model, observations, codes)
        components = self.objective.components(len(self.model.dynamics.state_mean))
        return squares.unflatten(-1, (-1, components)).mean((-3, -2))
