"""Gauss-Newton in the space of residuals, with momentum (Goldshlager, Abrahamsen and Lin 2024: SPRING).

With r the residuals of a batch and J their derivatives in base and codes, fewer rows than columns,

    phi <- J^T (J J^T + lambda I)^-1 (r - mu J phi) + mu phi,   x <- x - rate phi

is the change near to mu phi that solves the batch: what other batches asked for stays where this one has no say.
Without momentum and damping it is the shortest solution of the linearised least squares. lambda is relative to the mean
of the diagonal of J J^T and follows the gain ratio, the fall of the loss over the one that was predicted (Marquardt
1963): a step that raises the loss of its own batch is not taken. Far from the minimum the linear problem says
little, so a share of the outer steps before are Adam's.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from metastruct.optimizers.adam import Adam
from metastruct.optimizers.least_squares import CODES, Change
from metastruct.optimizers.residuals import Residuals

POOR, GOOD = 0.25, 0.75  # gain ratios between which the damping stays
FACTOR = 4.0


class GaussNewton(Adam):
    """SPRING after a start with Adam; for sums of squares.

    Args:
        warm_start: share of the outer steps that are Adam's, the first ones.
        rows: residuals that an iteration solves for, at most; one point of each task at least.
        first_rate, last_rate: rate of the first and of the last iteration; geometric between them.
        damping: lambda at first.
        least_damping: its bound; J J^T has the round-off of its precision.
        momentum: mu.
        adam: as of `Adam`.
    """

    def __init__(
        self,
        warm_start: float,
        rows: int,
        first_rate: float,
        last_rate: float,
        damping: float,
        least_damping: float,
        momentum: float,
        **adam: float,
    ):
        super().__init__(**adam)
        self.warm_start, self.rows, self.rates = warm_start, rows, (first_rate, last_rate)
        self.damping, self.least_damping, self.momentum = damping, least_damping, momentum

    def by_residuals(self, step: int, steps: int) -> bool:
        return step >= int(self.warm_start * steps)

    def rate(self, step: int, steps: int) -> float:
        """Of an iteration."""
        first = int(self.warm_start * steps)
        share = (step - first) / max(1, steps - first - 1)
        return self.rates[0] ** (1 - share) * self.rates[1] ** share

    @torch.no_grad()
    def solve(self, rules: Sequence[torch.optim.Optimizer], residuals: Residuals, step: int, steps: int) -> Tensor:
        residuals, rate = residuals.at_most(self.rows), self.rate(step, steps)
        numbers = _Numbers(rules, residuals)
        kept = {name: self.momentum * change for name, change in numbers.changes().items()}
        problem, data = residuals.linearised()
        values, remaining = problem.values, problem.along(kept)
        damping = numbers.damping(values.new_full(values.shape[:-1], self.damping))
        gram = problem.gram().double()  # the condition of the problem is one over the damping
        ridge = (damping * gram.diagonal(dim1=-2, dim2=-1).mean(-1))[..., None].expand(values.shape)
        factor, failure = torch.linalg.cholesky_ex(gram + torch.diag_embed(ridge))
        weights = torch.cholesky_solve((values - remaining).double()[..., None], factor)
        change = problem.back(weights[..., 0].to(values))
        for name, part in kept.items():
            change[name] = change[name] + part if name in change else part
        left = (values - rate * (remaining + (gram @ weights)[..., 0])).square()
        before, predicted = values.square().sum(-1), left.sum(-1)
        earlier = numbers.moved(change, rate)
        # Norms have a kink at zero, where they end: of them the prediction stands for what came.
        after = residuals.loss() + left[..., data:].sum(-1)
        gain = (before - after) / (before - predicted)
        taken = (after < before) & (failure == 0)
        numbers.settle(earlier, change, taken)
        scale = torch.where(taken & (gain > GOOD), 1 / FACTOR, torch.where(taken & (gain > POOR), 1.0, FACTOR))
        numbers.damp((damping * scale).clamp(min=self.least_damping))
        return values[..., :data].square().sum(-1)


class _Numbers:
    """The base and the codes of a batch, with what the rules keep of them: their last change, and the damping."""

    def __init__(self, rules: Sequence[torch.optim.Optimizer], residuals: Residuals):
        self.parameters: dict[str, nn.Parameter] = residuals.base
        self.index = residuals.index
        self.axes = residuals.observations.states.dim() - 3
        if residuals.table is not None:
            self.parameters = self.parameters | {CODES: residuals.table}
        states = {p: rule.state[p] for rule in rules for group in rule.param_groups for p in group["params"]}
        self.states: dict[str, dict[str, Tensor]] = {name: states[p] for name, p in self.parameters.items()}
        self.first = next(iter(self.states.values()))

    def changes(self) -> Change:
        """The last ones; nothing of what has not changed by them yet."""
        changes = {name: state["change"] for name, state in self.states.items() if "change" in state}
        return {
            name: change[self.index] if name == CODES else change.flatten(self.axes) for name, change in changes.items()
        }

    def damping(self, first: Tensor) -> Tensor:
        return self.first.get("damping", first)

    def damp(self, damping: Tensor) -> None:
        self.first["damping"] = damping

    def moved(self, change: Change, rate: float) -> Change:
        """Move against the change; what was there before."""
        earlier = {}
        for name, part in change.items():
            parameter = self.parameters[name]
            if name == CODES:
                earlier[name] = parameter[self.index].clone()
                parameter[self.index] -= rate * part
            else:
                earlier[name] = parameter.clone()
                parameter.sub_(part.view_as(parameter), alpha=rate)
        return earlier

    def settle(self, earlier: Change, change: Change, taken: Tensor) -> None:
        """Remember the change of replicas where it is taken; put the others back, without a memory."""
        for name, part in change.items():
            parameter, state = self.parameters[name], self.states[name]
            here = taken.reshape(*taken.shape, *[1] * (parameter.dim() - self.axes))
            for old in ("exp_avg", "exp_avg_sq"):  # of Adam, which does not come back
                state.pop(old, None)
            state.setdefault("step", torch.zeros(()))
            if name == CODES:
                parameter[self.index] = torch.where(here, parameter[self.index], earlier[name])
                table = state.setdefault("change", torch.zeros_like(parameter))
                table[self.index] = torch.where(here, part, 0.0)
            else:
                parameter.copy_(torch.where(here, parameter, earlier[name]))
                state["change"] = torch.where(here, part.view_as(parameter), 0.0)
