"""What a training by the weak form asks for: the residual whitened once and for all, before the first step.

    r = A f(x~; z) + b

A and b hold the test functions, the noise of the samples and a crude law of each member (`whitening`), so a step asks
for the field at the nodes of its windows and for nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from metastruct.objectives.objective import Objective, required
from metastruct.objectives.whitening import inputs_at_nodes

if TYPE_CHECKING:
    from metastruct.data.observations import Observations
    from metastruct.data.recordings import Recordings
    from metastruct.dynamics.model import ModulatedModel
    from metastruct.objectives.weak import Weak


class Whitened(Objective):
    """r = A f(x~; z) + b, with A and b that are parts of the observations; what a training by the weak form asks for.

    Args:
        weak: what lays the windows, of whose nodes this objective asks.
    """

    reads = ("states", "inputs", "operator")
    requires = ("states", "operator")

    def __init__(self, weak: Weak):
        self.weak, self.window = weak, weak.nodes

    def laid(self, recordings: Recordings) -> tuple[dict[str, Tensor], Tensor, np.ndarray]:
        """Nodes of all windows with their operators, the first of each window, and windows of each task."""
        from metastruct.data.shots import whole

        weak = self.weak
        observed = whole(recordings.members, replace(weak.request, reads=(*weak.reads, "crude_law")))
        _, slopes = recordings.slopes()
        size = slopes.shape[-1]
        nodes, parts = slice(None, None, weak.every), {}
        df = weak.windows(required(observed.crude_law))[..., nodes, :].unflatten(-1, (size, size))
        operator = weak.samples(observed, *weak.test_functions(observed)).whitened(
            df, weak.least_misfit**2 * slopes.double().var(0)
        )
        real = torch.ones(operator.shape[:2], dtype=torch.bool)
        if observed.mask is not None:
            real = weak.windows(observed.mask[..., None])[..., 0, 0]
        at_nodes = {"states": weak.windows(required(observed.smooth))[..., nodes, :]}
        if observed.inputs is not None:
            at_nodes["inputs"] = inputs_at_nodes(weak.windows(observed.inputs), weak.every, weak.held)
        for name, part in at_nodes.items():
            parts[name] = part[real].flatten(0, 1).to(recordings.dtype)
        parts["operator"] = operator[real].flatten(0, 1).to(recordings.dtype)
        return parts, torch.arange(0, len(parts["states"]), weak.nodes), real.sum(-1).numpy()

    def rows(self, state_dim: int) -> int:
        return self.weak.tests * state_dim

    def residual(self, model: ModulatedModel, observations: Observations, codes: Tensor | None) -> Tensor:
        field = model.vector_field(observations.states, codes, observations.inputs)
        return applied(observations, field, self.window)

    def unexplained(self, model: ModulatedModel, observations: Observations, codes: Tensor) -> Tensor:
        """What noise does not explain of the squares, over what an error of dx/dt of its own spread would leave."""
        squares = self.residual(model, observations, codes).double().square()
        error = model.dynamics.derivative_std.expand(observations.states.shape)
        size = error.shape[-1]
        operator = required(observations.operator).unflatten(-1, (size + 1, -1)).clone()
        operator[..., -1, :] = 0.0
        bare = applied(replace(observations, operator=operator.flatten(-2)), error, self.window)
        excess, level = (
            (part.unflatten(-1, (-1, size)).mean((-2, -1), keepdim=True)) for part in (squares - 1, bare**2)
        )
        share: Tensor = (excess / level).expand(*squares.shape[:-1], squares.shape[-1] // size, size).flatten(-2)
        return share


def applied(observations: Observations, field: Tensor, window: int) -> Tensor:
    """A f + b `[..., tasks, residuals]` for a field `[..., tasks, points, state]`, zero in windows that are masked."""
    operator = required(observations.operator).unflatten(-2, (-1, window)).unflatten(-1, (field.shape[-1] + 1, -1))
    of_field, offset = operator[..., :-1, :].flatten(-3, -2), operator[..., -1, :].sum(-2)
    residual = (field.unflatten(-2, (-1, window)).flatten(-2)[..., None, :] @ of_field)[..., 0, :] + offset
    if observations.mask is not None:
        residual = residual * observations.mask.unflatten(-1, (-1, window))[..., :1]
    rows: Tensor = residual.flatten(-2)
    return rows
