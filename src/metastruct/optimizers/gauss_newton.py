"""Gauss-Newton in the space of residuals, with momentum (Goldshlager, Abrahamsen and Lin 2024: SPRING).

With r the residuals of a batch and J their derivatives in base and codes, fewer rows than columns,

    phi <- J^T (J J^T + lambda I)^-1 (r - mu J phi) + mu phi,   x <- x - rate phi

is the change near to mu phi that solves the batch: what other batches asked for stays where this one has no say.
Without momentum and damping it is the shortest solution of the linearised least squares. lambda is relative to the mean
of the diagonal of J J^T and follows the gain ratio, the fall of the batch's loss over the predicted one (Marquardt
1963); a step that raises it is tried again, shorter and without momentum. Far from the minimum the linear problem says
little, so a share of the outer steps before are Adam's.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from metastruct.optimizers.adam import Adam
from metastruct.optimizers.least_squares import CODES, Change
from metastruct.optimizers.residuals import Residuals

POOR = 0.25  # gain ratio up to which the damping stays
FACTOR, RETREAT = 4.0, 10.0  # of the damping: where it falls, and where a step is not accepted
ATTEMPTS = 6


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

    @property
    def share_by_residuals(self) -> float:
        return 1 - self.warm_start

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
        problem, data = residuals.linearised()
        values, kept = problem.values, {name: self.momentum * change for name, change in numbers.changes().items()}
        gram, along = problem.gram().double(), problem.along(kept)  # double: the condition is one over the damping
        level, before = gram.diagonal(dim1=-2, dim2=-1).mean(-1), values.square().sum(-1) + problem.rest
        damping, memory = numbers.damping(torch.full_like(before, self.damping)), torch.ones_like(before)
        for _ in range(ATTEMPTS):
            damped = gram.clone()
            damped.diagonal(dim1=-2, dim2=-1).add_((damping * level)[..., None])
            misfit = (values - memory[..., None] * along).double()
            factor, failure = torch.linalg.cholesky_ex(damped)
            weights = torch.cholesky_solve(misfit[..., None], factor)
            change = problem.back(weights[..., 0].to(values))
            for name, part in kept.items():
                change[name] = change[name] + _by_replica(memory, part) * part if name in change else part
            left = values - rate * (memory[..., None] * along + (gram @ weights)[..., 0])
            numbers.move(change, rate)
            # Norms have a kink at zero, where they end: of them the prediction stands for what came.
            after = residuals.loss() + left[..., data:].square().sum(-1)
            numbers.back()
            accepted = (after < before) & (failure == 0)
            if bool((accepted | ~before.isfinite()).all()):
                break
            damping = torch.where(accepted, damping, damping * RETREAT)
            memory = torch.where(accepted, memory, 0.0)
        numbers.take(change, rate, accepted)
        gain = (before - after) / (before - problem.rest - left.square().sum(-1))
        damping = torch.where(accepted & (gain > POOR), damping / FACTOR, damping)
        numbers.states[numbers.first]["damping"] = damping.clamp(min=self.least_damping)
        return values[..., :data].square().sum(-1) + problem.rest


def _by_replica(numbers: Tensor, like: Tensor) -> Tensor:
    """One number a replica `[...]`, to be multiplied with what has more axes."""
    return numbers.reshape(*numbers.shape, *[1] * (like.dim() - numbers.dim()))


class _Numbers:
    """The base and the codes of a batch, with what the rules keep of them: their last change, and the damping."""

    def __init__(self, rules: Sequence[torch.optim.Optimizer], residuals: Residuals):
        self.parameters: dict[str, nn.Parameter] = residuals.base
        if residuals.table is not None:
            self.parameters = self.parameters | {CODES: residuals.table}
        self.index, self.axes = residuals.index, residuals.observations.states.dim() - 3
        states = {p: rule.state[p] for rule in rules for group in rule.param_groups for p in group["params"]}
        self.states: dict[str, dict[str, Tensor]] = {name: states[p] for name, p in self.parameters.items()}
        self.first = next(iter(self.states))
        self.before = {name: self._at(name, parameter).clone() for name, parameter in self.parameters.items()}

    def _at(self, name: str, values: Tensor) -> Tensor:
        """The rows of the batch, of codes."""
        return values[self.index] if name == CODES else values

    def _put(self, name: str, values: Tensor, part: Tensor) -> None:
        if name == CODES:
            values[self.index] = part
        else:
            values.copy_(part)

    def changes(self) -> Change:
        """The last ones; nothing of what has none yet."""
        changes = {n: self._at(n, state["change"]) for n, state in self.states.items() if "change" in state}
        return {n: change if n == CODES else change.flatten(self.axes) for n, change in changes.items()}

    def damping(self, first: Tensor) -> Tensor:
        """The last one, or the first."""
        return self.states[self.first].get("damping", first)

    def move(self, change: Change, rate: float) -> None:
        """Against the change, from where everything was."""
        for name, part in change.items():
            self._put(name, self.parameters[name], self.before[name] - rate * part.view_as(self.before[name]))

    def back(self) -> None:
        """To where everything was."""
        for name, part in self.before.items():
            self._put(name, self.parameters[name], part)

    def take(self, change: Change, rate: float, accepted: Tensor) -> None:
        """Move replicas where the change is accepted, and remember it; the others forget theirs."""
        for name, flat in change.items():
            before, state = self.before[name], self.states[name]
            part = torch.where(_by_replica(accepted, before), flat.view_as(before), 0.0)
            self._put(name, self.parameters[name], before - rate * part)
            for old in ("exp_avg", "exp_avg_sq"):  # of Adam, which does not come back
                state.pop(old, None)
            state.setdefault("step", torch.zeros(()))
            self._put(name, state.setdefault("change", torch.zeros_like(self.parameters[name])), part)
