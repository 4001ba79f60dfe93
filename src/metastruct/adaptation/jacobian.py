"""Derivatives with respect to the codes.

Forward mode takes one pass for each direction of the code, whatever the function. Reverse mode takes the windows of the
objective, single points for most, as tasks of one window each: then one backward pass for each residual of a window
holds the derivatives of all windows. It makes every update once a window, which is cheap for shifts and singular values
and not for full matrices. Measured, ten tasks of 200 points, codes of 3: 13 ms in reverse mode and 31 ms in forward
mode for svd; above `LIGHT` generated numbers forward mode is faster. So it is above `MANY` residuals of a point for
each number of the code: of chains of 32 oscillators, 400 points take 0.17 s and not 1.54 s. Where steps only have to
come near, differences are enough: one pass for all directions, without a graph. All go through their windows or tasks
in portions: activations that stay in the cache take two thirds of the time, and memory has a bound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from metastruct.data.observations import Observations
from metastruct.dynamics.model import ModulatedModel
from metastruct.objectives.objective import Objective

LIGHT, MANY = 600, 2
PORTIONS = {"cpu": 1_024, "cuda": 131_072}  # points whose activations fit into a cache, or fill a device
USUAL = 16  # components of such points; of more, fewer points fit
Function = Callable[[Tensor], Tensor]  # codes [tasks, code] -> values [tasks, ...], no task aware of another's code


@dataclass(frozen=True)
class Residual:
    """The residual of some tasks as a function of their codes alone.

    Args:
        spread: of the codes `[code]`: its derivatives are differences over a small share of it, right to a third of
            the digits. None: they are exact.
        weights: how much each residual counts in a cost, `[tasks, residuals]`, the roots; None where all do alike.
    """

    model: ModulatedModel
    objective: Objective
    observations: Observations
    spread: Tensor | None = None
    weights: Tensor | None = None

    def __call__(self, codes: Tensor) -> Tensor:
        """r `[tasks, residuals]`."""
        parts = self._parts(codes)
        if len(parts) == 1:
            return self.objective.residual(self.model, self.observations, codes)
        return torch.cat([self.of(part)(codes[part]) for part in parts])

    def _parts(self, codes: Tensor, passes: int = 1) -> tuple[Tensor, ...]:
        """The tasks in portions, each task to be looked at so many times."""
        points = passes * self.observations.states.shape[-2]
        return torch.arange(len(codes), device=codes.device).split(max(1, portion(codes.device) // points))

    def of(self, tasks: Tensor) -> Residual:
        """That of some tasks, which increase."""
        if len(tasks) == len(self.observations):
            return self
        weights = None if self.weights is None else self.weights[tasks]
        return replace(self, observations=self.observations.of(tasks), weights=weights)

    def field(self, codes: Tensor) -> Tensor | None:
        """Of a residual that is affine in the field: zero, the field, and its derivatives, at single points.

        `[tasks, 2 + code, points, state]`, whatever whitens the residual; None of another.
        """
        places = self.objective.places(self.observations)
        if places is None:
            return None
        field, slopes = Residual(self.model, _Field(), places, self.spread).with_jacobian(codes)
        columns = torch.cat([0 * field[..., None], field[..., None], slopes], -1).mT
        return columns.unflatten(-1, (places.states.shape[-2], -1))

    def of_field(self, field: Tensor) -> tuple[Tensor, Tensor]:
        """The residual and its derivatives, as of `with_jacobian`, from what `field` returns."""
        columns = self.objective.combined(self.model, self.observations, field.movedim(1, 0))
        return columns[1], (columns[2:] - columns[0]).movedim(0, -1)

    def with_jacobian(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """r `[tasks, residuals]` and its derivatives `[tasks, residuals, code]`, both detached.

        One that is affine in the field has them from those of the field at single points.
        """
        if (field := self.field(codes)) is not None:
            return self.of_field(field)
        if self.spread is not None:
            parts = self._parts(codes, 1 + codes.shape[-1])
            return _joined([self.of(part)._differences(codes[part], self.spread) for part in parts])
        window = self.objective.window
        many = window == 1 and self.observations.states.shape[-1] > MANY * codes.shape[-1]
        if many or sum(self.model.modulation.sizes) > LIGHT:
            return _joined([self.of(part)._directions(codes[part]) for part in self._parts(codes)])
        observations = self.observations.apart(window)
        windows = len(observations) // len(codes)
        there = torch.arange(len(observations), device=codes.device)
        if observations.mask is not None:  # what only fills up is zero, and so are its derivatives
            there = observations.mask.any(-1).nonzero()[:, 0]
        alone, each = replace(self, observations=observations.of(there)), codes.detach()[there // windows]
        size = max(1, portion(codes.device) // window)
        values, jacobian = (
            part.new_zeros(len(observations), *part.shape[1:]).index_copy(0, there, part)
            for part in _joined(
                [alone._rows(slice(k, k + size), each[k : k + size]) for k in range(0, len(each), size)]
            )
        )
        return values.reshape(len(codes), -1), jacobian.reshape(len(codes), -1, codes.shape[-1])

    def _directions(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """The same in forward mode, the windows of a task in portions."""
        window, (points, state) = self.objective.window, self.observations.states.shape[-2:]
        size = max(1, portion(codes.device) // max(1, state // USUAL) // window) * window
        if size >= points:
            return with_jacobian(self, codes)
        pieces = [replace(self, observations=part) for part in self.observations.portions(size)]
        return _joined([with_jacobian(piece, codes) for piece in pieces], 1)

    def _rows(self, tasks: slice, codes: Tensor) -> tuple[Tensor, Tensor]:
        """The same of some tasks by one backward pass for each of their residuals."""
        with torch.enable_grad():
            codes = codes.requires_grad_()
            values = replace(self, observations=self.observations.of(tasks))(codes)
            each = values.sum(0).unbind()
            rows = [torch.autograd.grad(one, codes, retain_graph=one is not each[-1])[0] for one in each]
        return values.detach(), torch.stack(rows, 1)

    def _differences(self, codes: Tensor, spread: Tensor) -> tuple[Tensor, Tensor]:
        """The same by forward differences, all directions as tasks beside each other."""
        small = torch.finfo(self.model.precision).eps ** (1 / 3) * spread  # what is left out outweighs round-off
        moved = torch.cat([codes[None], codes + torch.diag(small)[:, None]])
        everywhere = replace(self, observations=self.observations.repeated(len(moved)))
        values = everywhere(moved.flatten(0, 1)).unflatten(0, moved.shape[:2])
        return values[0], ((values[1:] - values[0]).movedim(0, -1) / small)


def _joined(pairs: list[tuple[Tensor, Tensor]], axis: int = 0) -> tuple[Tensor, Tensor]:
    """Values and derivatives of all portions, of tasks or, along axis 1, of residuals."""
    if len(pairs) == 1:
        return pairs[0]
    values, jacobian = (torch.cat(list(part), axis) for part in zip(*pairs, strict=True))
    return values, jacobian


class _Field(Objective):
    """The vector field itself."""

    def residual(self, model: ModulatedModel, observations: Observations, codes: Tensor | None) -> Tensor:
        return model.vector_field(observations.states, codes, observations.inputs).flatten(-2)


def field_with_jacobian(
    model: ModulatedModel, x: Tensor, codes: Tensor, inputs: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The field at states x `[tasks, points, state]` and its derivatives `[tasks, points, state, code]`, both detached.

    Args:
        inputs: u `[tasks, points, input]` at x, where the members are driven.
    """
    if not x.numel():
        return x.detach(), x.new_zeros(*x.shape, codes.shape[-1])
    field, jacobian = Residual(model, _Field(), Observations(states=x, inputs=inputs)).with_jacobian(codes.detach())
    return field.view_as(x), jacobian.unflatten(1, x.shape[1:])


def portion(device: torch.device) -> int:
    """How many points are looked at together."""
    return PORTIONS.get(device.type, PORTIONS["cuda"])


def with_jacobian(function: Function, codes: Tensor) -> tuple[Tensor, Tensor]:
    """The values `[tasks, ...]` at codes `[tasks, code]` and their derivatives `[tasks, ..., code]`, both detached."""
    codes = codes.detach()
    directions = torch.eye(codes.shape[-1], dtype=codes.dtype, device=codes.device)[:, None].expand(-1, *codes.shape)

    def along(direction: Tensor) -> Any:
        return torch.func.jvp(function, (codes,), (direction,))

    with torch.no_grad():
        values, columns = torch.vmap(along, out_dims=(None, -1))(directions)  # type: ignore[arg-type]
    return values, columns
