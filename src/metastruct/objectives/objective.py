"""What a model is fitted by: one residual that training squares and that every adaptation of a code uses."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from metastruct.data.shots import Request
from metastruct.objectives.glimpse import glimpse

if TYPE_CHECKING:
    from metastruct.data.observations import Observations
    from metastruct.data.recordings import Recordings
    from metastruct.dynamics.model import ModulatedModel


class Objective(ABC):
    """A whitened residual: of spread one, up to a common factor, where the model is as good as its noise allows.

    Attributes:
        reads: the parts of the observations that it looks at, as far as they are there.
        requires: those that it cannot do without.
        window: consecutive samples of a trajectory that it looks at together.
        least: how many of them will do, where a window need not be full; None where it must be.
        numbers: what `settled` chose, by name; kept with the model.
    """

    reads: tuple[str, ...]
    requires: tuple[str, ...] = ("states",)
    window: int = 1
    least: int | None = None
    numbers: Mapping[str, float] = {}

    @property
    def request(self) -> Request:
        """What it wants of the observations of a member."""
        return Request(self.reads, self.window, self.least)

    def settled(self, recordings: Recordings) -> Objective:
        """With what it leaves to the data chosen by what is seen of the training members."""
        return self

    def in_training(self) -> Objective:
        """As a training asks it, where that may be cheaper."""
        return self

    def laid(self, recordings: Recordings) -> tuple[dict[str, Tensor], Tensor, np.ndarray]:
        """What it reads of the training members, side by side, and its windows, as of `Recordings.windows`."""
        return recordings.read(self.reads), *recordings.windows(self.window)

    def learned(self, numbers: Mapping[str, float], noise: Tensor | None) -> Objective:
        """As it was settled, after a training whose codes left the variances `[components]`."""
        return self

    def to(self, device: torch.device | str) -> Objective:
        """With its tensors on a device."""
        moved = copy.copy(self)
        vars(moved).update({name: part.to(device) for name, part in vars(self).items() if isinstance(part, Tensor)})
        return moved

    def noisy(self, recordings: Recordings) -> bool:
        """Do observations have errors that are no misfit, but in what a training leaves of its residual?"""
        return False

    def level(self, name: str, state_dim: int) -> np.ndarray | None:
        """The noise that training members showed `[state]`, "noise" or "derivative_noise"; None where nobody asked."""
        return None

    def described(self) -> str | None:
        """What was chosen, for people."""
        return None

    def left_out(self, lengths: Iterable[int]) -> str | None:
        """How many trajectories of so many samples are too short to be looked at, for people; None where none is."""
        short = sum(samples < (self.least or 1) for samples in lengths)
        return (
            f"{short} trajectories have fewer instants than the {self.least} that are looked at in one, and say nothing"
            if short
            else None
        )

    def check(self, parts: Collection[str]) -> None:
        """Do observations with these parts have what it needs, and does it read what drives the members?

        Raises:
            ValueError: they do not, or it does not.
        """
        name = type(self).__name__.lower()
        if lacking := [part for part in self.requires if part not in parts]:
            raise ValueError(
                f"objective={name} needs {' and '.join(lacking)}, which the data do not have; they have "
                f"{', '.join(parts)}; use another objective"
            )
        if "inputs" in parts and "inputs" not in self.reads:
            raise ValueError(
                f"the members are driven by inputs, which objective={name} does not read; use another objective"
            )

    def fitting(self, longest: int) -> Objective:
        """As it is laid for members whose longest trajectory has so many samples; its residuals stay what they are."""
        return self

    def glimpse(self, observations: Observations, count: int) -> tuple[Objective, Observations, Tensor]:
        """About `count` points of each task, what to ask of them, and which share of all residuals it gives."""
        return self, *glimpse(observations, self.window, count)

    @abstractmethod
    def residual(self, model: ModulatedModel, observations: Observations, codes: Tensor | None) -> Tensor:
        """r `[..., tasks, residuals]` for codes `[..., tasks, code]`; without codes that of the base net.

        The residuals of a point, or of a window, follow each other, and are zero where a point is masked.
        """

    def components(self, state_dim: int) -> int:
        """How many kinds of residuals follow each other, again and again, each with a noise of its own."""
        return state_dim

    def rows(self, state_dim: int) -> int:
        """Residuals of a window."""
        return self.window * self.components(state_dim)

    def still(self, model: ModulatedModel) -> int:
        """How many residuals of a window, the first ones, depend on no weight and no code of the model."""
        return 0

    def renewed(self, model: ModulatedModel, observations: Observations, codes: Tensor) -> Observations:
        """The observations with what whitens the residual at these codes `[..., tasks, code]`, and near them."""
        return observations

    def places(self, observations: Observations) -> Observations | None:
        """Points at which the residual asks for the field, if it is affine in the field there; else None."""
        return None

    def combined(self, model: ModulatedModel, observations: Observations, field: Tensor) -> Tensor:
        """The residual of a field `[..., tasks, points, state]` at these places; leading axes are of several fields.

        Raises:
            TypeError: the residual is not affine in a field.
        """
        raise TypeError(f"the residual of objective={type(self).__name__.lower()} is not affine in a field")

    def unexplained(self, model: ModulatedModel, observations: Observations, codes: Tensor) -> Tensor:
        """Squares `[..., tasks, residuals]` whose mean over the training data is the variance that codes leave."""
        return self.residual(model, observations, codes).double().square()

    def likelihood(self, noise: Tensor) -> Tensor:
        """The variance `[components]` of the residual in an adaptation, after a training that left the noise."""
        return noise

    def field_noise(self, noise: Tensor, state_dim: int) -> Tensor:
        """What the variances `[components]` of the residual say of dx/dt, `[state]`, in units of its spread squared.

        Nothing where the residual is of something else.
        """
        return noise.new_zeros(state_dim)

    def field_error(self, state_dim: int) -> Tensor | None:
        """What a training learned of the noise of its members, as an error of every field, as of `field_noise`.

        It is alike for all members, and no residual shows it. None where nobody knows.
        """
        return None

    def unseen(self, model: ModulatedModel, recordings: Recordings, codes: Tensor) -> Tensor | None:
        """Variances `[state]` of errors of dx/dt that no residual shows, as of `field_noise`, after a training.

        None of a residual that shows all of them.
        """
        return None

    def erring(self, variances: Tensor) -> Mapping[str, float]:
        """The numbers, with the variances `[state]` as the `field_error`."""
        return self.numbers

    def noise_share(self, observations: Observations, residual: Tensor) -> Tensor:
        """Share of the noise in the variance of each residual, `[tasks, residuals]`; the rest is misfit."""
        return residual.new_zeros(residual.shape)

    def loss(self, model: ModulatedModel, observations: Observations, codes: Tensor | None) -> Tensor:
        """Sum of r^2 over the components, mean over the points of a task, one value a task, `[..., tasks]`."""
        residual = self.residual(model, observations, codes)
        return (residual * residual).sum(-1) / observations.count


def of_noise(observations: Observations, residual: Tensor) -> Tensor:
    """All of the variance of a residual `[tasks, residuals]` where states of a task are seen with noise, else none."""
    noise = observations.noise
    if noise is None:
        return residual.new_zeros(residual.shape)
    return (noise.flatten(-2).amax(-1, keepdim=True) > 0).to(residual).expand_as(residual)


def required(part: Tensor | None) -> Any:
    """A part of observations `[..., tasks, points, n]` that an objective requires."""
    assert part is not None
    return part
