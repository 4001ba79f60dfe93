"""The residuals of a batch as a function of base and codes, and their derivatives.

A model takes leading axes of replicas. With every window of observations as a replica of its own, one backward pass for
each residual of a window gives the rows of all windows, as matrices of the shapes of the parameters, whatever net,
dynamics and objective are.

A norm T of the loss enters as the residual sqrt(T/2) with the row grad T / sqrt(2 T): its square has the gradient of T,
and the step that it alone asks for ends where the linear part of T is zero. That is the square of a norm with the
weight of the norm at hand (iteratively reweighted least squares), in the one direction in which the norm falls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from metastruct.data.observations import Observations
from metastruct.dynamics.model import ModulatedModel
from metastruct.objectives.objective import Objective
from metastruct.optimizers.least_squares import CODES, LeastSquares, Rows
from metastruct.optimizers.outer import derivatives, uses

Index = tuple[Tensor, ...]


@dataclass(frozen=True)
class Residuals:
    """What a batch is judged by: the mean over its tasks of their losses, and norms.

    Args:
        model: with the base.
        observations: of the tasks of the batch, none of them masked.
        table: the codes of all tasks `[..., all tasks, code]`, or None where there are none.
        index: where in it the codes of the batch are.
        base_norm: what the loss adds to the mean, from the base, `[...]`.
        code_norm: what it adds to the loss of each task `[..., tasks]`, from their codes; None adds nothing.
    """

    model: ModulatedModel
    objective: Objective
    observations: Observations
    table: nn.Parameter | None = None
    index: Index = ()
    base_norm: Callable[[], Tensor | float] = float
    code_norm: Callable[[Tensor], Tensor] | None = None

    @property
    def codes(self) -> Tensor | None:
        """Of the batch `[..., tasks, code]`, detached."""
        return None if self.table is None else self.table.detach()[self.index]

    @property
    def base(self) -> dict[str, nn.Parameter]:
        """What all tasks share, by name."""
        return dict(self.model.named_parameters())

    def loss(self) -> Tensor:
        """The mean loss of the tasks without the norms, `[...]`."""
        with torch.no_grad():
            return self.objective.loss(self.model, self.observations, self.codes).mean(-1)

    def at_most(self, rows: int) -> Residuals:
        """Of the first windows of each task, one at least, so that there are no more residuals than that."""
        states, window = self.observations.states, self.objective.window
        each = len(self.observations) * (self.objective.rows(states.shape[-1]) - self.objective.still(self.model))
        kept = slice(window * max(1, rows // each))
        return replace(self, observations=self.observations.map(lambda values: values[..., kept, :]))

    @torch.enable_grad()
    def linearised(self) -> tuple[LeastSquares, int]:
        """At the numbers as they are, and how many of the residuals are of data; the others are of norms."""
        data, rest = self._data()
        norms = [rows for rows in (self._base_norm(), self._code_norm()) if rows is not None]
        return LeastSquares([*data, *norms], rest), sum(rows.values.shape[-1] for rows in data)

    def _data(self) -> tuple[list[Rows], Tensor]:
        """The rows of all windows, for each residual of one, and the squares of those that nothing moves, summed."""
        observations, codes, window = self.observations, self.codes, self.objective.window
        *lead, tasks, points, _ = observations.states.shape
        count, each = tasks * points // window, points // window
        windows = observations.map(lambda part: part.reshape(*lead, count, 1, window, part.shape[-1]))
        axes = len(lead)
        numbers = {
            name: parameter.detach().unsqueeze(axes).expand(*lead, count, *parameter.shape[axes:]).requires_grad_()
            for name, parameter in self.base.items()
        }
        kept = (
            {}
            if not lead
            else {
                name: values.unsqueeze(axes).expand(*lead, count, *values.shape[axes:])
                for name, values in self.model.initialised().items()
                if name not in numbers
            }
        )
        leaves = dict(numbers)
        if codes is not None:
            codes = leaves[CODES] = codes.repeat_interleave(each, -2).unsqueeze(-2).requires_grad_()
        data, still = [], self.objective.still(self.model)
        values = _called(self, numbers | kept, windows, codes).squeeze(-2) / (count * window) ** 0.5
        products = {} if lead else uses(values, {name: matrix for name, matrix in numbers.items() if matrix.dim() == 3})
        for residual in values[..., still:].unbind(-1):
            base = derivatives(residual, leaves, products, axes + 1)
            of_codes = base.pop(CODES, None)
            by_codes = of_codes.reshape(*lead, tasks, each, -1) if isinstance(of_codes, Tensor) else None
            data.append(Rows(residual.detach(), base, by_codes))
        return data, values[..., :still].detach().square().sum((-2, -1))

    def _base_norm(self) -> Rows | None:
        base, norm = self.base, self.base_norm()
        if not isinstance(norm, Tensor) or not norm.requires_grad:
            return None
        gradients = torch.autograd.grad(norm.sum(), [*base.values()], allow_unused=True)
        root, axes = _root(norm), norm.dim()
        rows = {
            name: gradient.flatten(axes).unsqueeze(axes) / root[..., None, None]
            for name, gradient in zip(base, gradients, strict=True)
            if gradient is not None
        }
        return Rows(root[..., None] / 2, rows)

    def _code_norm(self) -> Rows | None:
        if self.code_norm is None or self.codes is None:
            return None
        codes = self.codes.requires_grad_()
        norms = self.code_norm(codes) / codes.shape[-2]
        (gradient,) = torch.autograd.grad(norms.sum(), codes)
        root = _root(norms)
        return Rows(root / 2, {}, (gradient / root[..., None]).unsqueeze(-2))


class _Residual(nn.Module):
    """An objective of a model as a module, for `functional_call`."""

    def __init__(self, model: ModulatedModel, objective: Objective):
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, observations: Observations, codes: Tensor | None) -> Tensor:
        return self.objective.residual(self.model, observations, codes)


def _called(
    residuals: Residuals, numbers: dict[str, Tensor], observations: Observations, codes: Tensor | None
) -> Tensor:
    """The objective's residual with other numbers in the place of the base."""
    module = _Residual(residuals.model, residuals.objective)
    renamed = {f"model.{name}": values for name, values in numbers.items()}
    values: Tensor = torch.func.functional_call(module, renamed, (observations, codes))
    return values


def _root(norm: Tensor) -> Tensor:
    """sqrt(2 T), above zero."""
    return (2 * norm.detach()).clamp(min=torch.finfo(norm.dtype).tiny).sqrt()
