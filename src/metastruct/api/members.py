"""Many adapted members at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, overload

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from metastruct.api.fields import Fields
from metastruct.api.member import Member
from metastruct.api.portable import Portable
from metastruct.data.outside import Array, Inputs, instants_of, states_of
from metastruct.integrators.signal import Signal

if TYPE_CHECKING:
    from metastruct.api.model import Model


class Members(Portable, Sequence[Member]):
    """Adapted members, each as `adapt` makes it: `members[i]` is one, and all of them answer together.

    Attributes:
        codes: `[members, code]`.
        losses: support loss of each before each adaptation step and at the end, `[members, steps + 1]`.
        covariances: of the codes' posteriors `[members, code, code]`, or None after an adaptation that has none.
        converged: which fits ended at a minimum `[members]`; None after an adaptation that does not know.
        p_values: as of `Member`, `[members]`; None after an adaptation without a posterior.
        flags: what may be wrong, in words, and with which members `[members]`.
    """

    def __init__(self, fields: Fields, model: Model):
        super().__init__(fields, model)
        self._size, fit = fields.space.state_dim, fields.fit
        self.codes, self.losses = fit.codes.numpy(), fit.trace.mT.numpy()
        self.covariances = None if fit.covariance is None else fit.covariance.numpy()
        self.converged = None if fit.converged is None else fit.converged.numpy()
        agreement = fit.agreement
        self.p_values = None if agreement is None else agreement.p_value.numpy()
        self.flags = {flag: which.numpy() for flag, which in fields.flags.items()}

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, index: int) -> Member: ...
    @overload
    def __getitem__(self, index: slice) -> Members: ...
    def __getitem__(self, index: int | slice) -> Member | Members:
        if isinstance(index, slice):
            places = [*range(len(self))[index]]
            if not places:
                raise ValueError(f"a part of {len(self)} members must hold one at least, got none")
            return Members(self.fields.of(places), self.model)
        place = range(len(self))[index]
        return Member(self.fields.of(slice(place, place + 1)), self.model)

    @property
    def std(self) -> Array:
        """Standard deviations of the codes' posteriors `[members, code]`.

        Raises:
            ValueError: the adaptation has no posterior.
        """
        std: Array = np.sqrt(self.fields.covariance.diagonal(dim1=-2, dim2=-1).numpy())
        return std

    @overload
    def vector_field(self, x: ArrayLike, std: Literal[False] = ..., inputs: ArrayLike | None = ...) -> Array: ...
    @overload
    def vector_field(self, x: ArrayLike, std: Literal[True], inputs: ArrayLike | None = ...) -> tuple[Array, Array]: ...
    def vector_field(
        self, x: ArrayLike, std: bool = False, inputs: ArrayLike | None = None
    ) -> Array | tuple[Array, Array]:
        """dx/dt of each member at states of its own, x `[members, ..., state]`, or at those of all, `[1, ..., state]`.

        With `std` also the standard deviation of its error, as of `Member`.

        Args:
            inputs: what drives them there, `[input]` or `[members, input]`, where they are driven.

        Raises:
            ValueError: a shape is wrong, a number is not finite, or there is no posterior.
        """
        driving = self.fields.space.driving(inputs, members=len(self))
        there = [] if driving is None else [driving[:, None]]
        if std:
            mean, deviation = self._each(Fields.error_bar, x, "x", 1, *there)
            return mean, deviation
        return self._each(Fields.vector_field, x, "x", 1, *there)[0]

    def energy(self, x: ArrayLike) -> Array:
        """The learned energies `[members, ...]` at states as of `vector_field`; errors as of `Member`."""
        return self._each(Fields.energy, x, "x", 0)[0]

    def entropy(self, x: ArrayLike) -> Array:
        """The learned entropies `[members, ...]` at states as of `vector_field`; errors as of `Member`."""
        return self._each(Fields.entropy, x, "x", 0)[0]

    def rollout(self, x0: ArrayLike, times: ArrayLike, inputs: Inputs | None = None, held: bool | None = None) -> Array:
        """States `[members, ..., times, state]` at the times `[times]`, from x0 as of `vector_field` at times[0].

        Args:
            inputs: what drives the members, `[times, input]` for all alike or `[members, times, input]`, or a pair
                (t, u) as of `Member`.
            held: as of `Member`.

        Raises:
            ValueError: a shape is wrong, a number is not finite, or the times do not increase.
        """
        instants = instants_of(times)
        self.fields.space.starts(x0)
        signal, ends = self.fields.space.signal(inputs, instants, held, len(self)), torch.from_numpy(instants)

        def path(fields: Fields, x: Tensor, *values: Tensor) -> Tensor:
            driving = None if signal is None else Signal(signal.times, values[0][:, None], signal.held)
            return fields.rollout(x, ends, driving)

        return self._each(path, x0, "x0", 2, *([] if signal is None else [signal.values]))[0]

    def _each(
        self,
        function: Callable[..., Tensor | tuple[Tensor, ...]],
        x: ArrayLike,
        name: str,
        axes: int = 1,
        *driving: Tensor,
    ) -> list[Array]:
        """What a function of fields says at states, `axes` axes for each of them, and at inputs of each member."""
        array = states_of(x, name, self._size)
        if array.ndim < 2 or array.shape[0] not in (1, len(self)):
            expected = f"[{len(self)}, ..., {self._size}], or [1, ..., {self._size}] for all alike"
            raise ValueError(f"{name} must have the shape {expected}, got {list(array.shape)}")
        shape = (len(self), *array.shape[1:-1])
        points = torch.from_numpy(np.ascontiguousarray(array)).reshape(len(array), -1, self._size)
        each = [part.expand(len(self), *part.shape[1:]) for part in (points, *driving)]
        values = self.fields.in_parts(function, *each)
        return [part.numpy().reshape(*shape, *part.shape[2:][:axes]) for part in values]
