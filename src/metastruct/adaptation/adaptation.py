"""Fitting the codes of new tasks to their support data, base and hyper-network frozen.

What the training tasks teach about a new one is a Gaussian: their codes are draws from N(m, C), and the residuals that
their own codes leave have the variance s^2 (empirical Bayes). With them the code of a new task has a posterior,

    -log p(z | data) = sum r^2 / (2 s^2) + (z - m)^T C^-1 (z - m) / 2 + const,

r being the whitened residual of the objective, and its curvature at the minimum a covariance (Laplace).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from metastruct.adaptation.agreement import Agreement, left_out
from metastruct.data.observations import Observations
from metastruct.dynamics.model import ModulatedModel
from metastruct.objectives.objective import Objective


@dataclass(frozen=True)
class Prior:
    """The Gaussian of the training codes, and how well a code explains its data.

    Args:
        mean: m `[code]`.
        covariance: C `[code, code]`, positive definite.
        noise: s^2 `[components]`, variance of each component of the residual; the components of a residual
            `[tasks, residuals]` follow each other, again and again.
        codes: of the training tasks `[tasks, code]`, where a search may begin.
        field_noise: what the noise says of dx/dt `[state]`, as a variance in units of its spread, and `field_error`.
        before: what training said, where this is the posterior of a member that was seen already.
        field_error: the part of that which all members share, and no residual shows, `[state]`; None where nobody
            knows.
    """

    mean: Tensor
    covariance: Tensor
    noise: Tensor
    codes: Tensor
    field_noise: Tensor
    before: Prior | None = None
    field_error: Tensor | None = None

    @classmethod
    def of(cls, codes: Tensor, noise: Tensor, misfit: Tensor | None = None, field_error: Tensor | None = None) -> Prior:
        """From training codes `[tasks, code]`, and a noise that is of dx/dt itself, unless its misfit is told apart.

        Their covariance is nearly singular where the code has more dimensions than the family; the share 1/tasks of it
        is spread over all directions, so that none is ruled out. One task alone says nothing: C is the identity.
        """
        tasks, size = codes.shape
        identity = torch.eye(size, dtype=codes.dtype, device=codes.device)
        centred = codes - codes.mean(0)
        scatter = centred.mT @ centred / max(tasks - 1, 1)
        spread = scatter.diagonal().mean()
        covariance = torch.lerp(scatter, spread * identity, 1 / tasks) if spread > 0 else identity
        misfit = noise if misfit is None else misfit
        field_noise = misfit if field_error is None else misfit + field_error
        return cls(codes.mean(0), covariance, noise, codes, field_noise, field_error=field_error)

    @property
    def misfit(self) -> Tensor:
        """The part of the field's noise that residuals show, and that differs from member to member, `[state]`."""
        return self.field_noise if self.field_error is None else self.field_noise - self.field_error

    def after(self, code: Tensor, covariance: Tensor, forgetting: float = 1.0) -> Prior:
        """What a member's posterior N(z, Sigma) says of what is seen next: a step of sequential Bayes.

        With forgetting f < 1 the prior of the family comes back, as the product N(z, Sigma)^f N(m, C)^(1 - f), so that
        a member that drifts is followed and never leaves its family.

        Args:
            code: z `[1, code]`.
            covariance: Sigma `[1, code, code]`.

        Source: Kulhavy and Zarrop (1993), On a general concept of forgetting.
        """
        precision = forgetting * torch.linalg.inv(covariance[0]) + (1 - forgetting) * self.precision
        pull = forgetting * torch.linalg.solve(covariance[0], code[0]) + (1 - forgetting) * (self.precision @ self.mean)
        after = torch.linalg.inv(precision)
        mean = after @ pull
        covariance = (after + after.mT) / 2
        return replace(self, mean=mean, covariance=covariance, codes=mean[None], before=self.before or self)

    @cached_property
    def precision(self) -> Tensor:
        """C^-1 `[code, code]`."""
        return torch.linalg.inv(self.covariance)

    @cached_property
    def spread(self) -> Tensor:
        """The codes, each as far as can be from the mean and from those before it, in standard deviations of C."""
        order, nearest = list[Tensor](), self._distances(self.mean)
        for _ in self.codes:
            order.append(nearest.argmax())
            nearest = torch.minimum(nearest, self._distances(self.codes[order[-1]]))
        return self.codes[torch.stack(order)]

    @cached_property
    def outlying(self) -> np.ndarray:
        """Distances of training codes from the hull of the others, as of `agreement.left_out`."""
        return left_out(self)

    def _distances(self, centre: Tensor) -> Tensor:
        offset = self.codes - centre
        return (offset @ self.precision * offset).sum(-1)

    def weight(self, residual: Tensor) -> Tensor:
        """1/s of each residual of `[tasks, residuals]`, `[residuals]`."""
        return self.noise.rsqrt().repeat(residual.shape[-1] // len(self.noise))

    def to(self, device: torch.device | str) -> Prior:
        """The same on a device."""
        parts = (getattr(self, field.name) for field in fields(self))
        return Prior(*(None if part is None else part.to(device) for part in parts))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Fit:
    """What an adaptation returns.

    Args:
        codes: `[tasks, code]`.
        trace: loss of each task before each step and at the end, `[steps + 1, tasks]`.
        covariance: of each code's posterior, `[tasks, code, code]`, or None where the adaptation has none.
        converged: which tasks ended at a minimum `[tasks]`, or None where the adaptation does not know.
        agreement: of each task with the training tasks, or None without a prior.
        posterior: the covariance `[tasks, code, code]` before it was widened for what is not explained; what is seen
            next begins with it. None as of the covariance.
    """

    codes: Tensor
    trace: Tensor
    covariance: Tensor | None = None
    converged: Tensor | None = None
    agreement: Agreement | None = None
    posterior: Tensor | None = None

    @classmethod
    def joined(cls, fits: Sequence[Fit], order: Sequence[int]) -> Fit:
        """Fits one after another, of the tasks `order`, as one fit of the tasks in their own order."""
        back = torch.tensor(order).argsort()

        def gathered(name: str, axis: int = 0) -> Any:
            parts = [getattr(fit, name) for fit in fits]
            return None if parts[0] is None else torch.cat(parts, axis).index_select(axis, back)

        agreements = [fit.agreement for fit in fits if fit.agreement is not None]
        agreement = Agreement.joined(agreements).of(back) if agreements else None
        parts = gathered("codes"), gathered("trace", 1), gathered("covariance"), gathered("converged")
        return cls(*parts, agreement, gathered("posterior"))


class Adaptation(ABC):
    """A way to fit codes; all tasks at once, no task aware of its batch mates."""

    @abstractmethod
    def fit(
        self,
        model: ModulatedModel,
        objective: Objective,
        observations: Observations,
        start: Tensor,
        prior: Prior | None = None,
    ) -> Fit:
        """Codes that fit the observations of each task, beginning at `start` `[tasks, code]`.

        Without a prior, an adaptation that would use it fits the data alone and has no covariance.
        """


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """No gradients for the parameters inside of the block."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
