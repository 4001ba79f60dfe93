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
from metastruct.data.outside import Array, instants_of, states_of

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
    def vector_field(self, x: ArrayLike, std: Literal[False] = ...) -> Array: ...
    @overload
    def vector_field(self, x: ArrayLike, std: Literal[True]) -> tuple[Array, Array]: ...
    def vector_field(self, x: ArrayLike, std: bool = False) -> Array | tuple[Array, Array]:
        """dx/dt of each member at states of its own, x `[members, ..., state]`, or at those of all, `[1, ..., state]`.

        With `std` also the standard deviation of its error, as of `Member`.

        Raises:
            ValueError: a shape is wrong, a number is not finite, or there is no posterior.
        """
        if std:
            mean, deviation = self._each(Fields.error_bar, x, "x")
            return mean, deviation
        return self._each(Fields.vector_field, x, "x")[0]

    def energy(self, x: ArrayLike) -> Array:
        """The learned energies `[members, ...]` at states as of `vector_field`; errors as of `Member`."""
        return self._each(Fields.energy, x, "x", 0)[0]

    def entropy(self, x: ArrayLike) -> Array:
        """The learned entropies `[members, ...]` at states as of `vector_field`; errors as of `Member`."""
        return self._each(Fields.entropy, x, "x", 0)[0]

    def rollout(self, x0: ArrayLike, times: ArrayLike) -> Array:
        """States `[members, ..., times, state]` at the times `[times]`, from x0 as of `vector_field` at times[0].

        Raises:
            ValueError: a shape is wrong, a number is not finite, or the times do not increase.
        """
        instants = torch.from_numpy(instants_of(times))
        return self._each(lambda fields, x: fields.rollout(x, instants), x0, "x0", 2)[0]

    def _each(
        self, function: Callable[..., Tensor | tuple[Tensor, ...]], x: ArrayLike, name: str, axes: int = 1
    ) -> list[Array]:
        """What a function of fields says at states, `axes` axes for each of them."""
        array = states_of(x, name, self._size)
        if array.ndim < 2 or array.shape[0] not in (1, len(self)):
            expected = f"[{len(self)}, ..., {self._size}], or [1, ..., {self._size}] for all alike"
            raise ValueError(f"{name} must have the shape {expected}, got {list(array.shape)}")
        shape = (len(self), *array.shape[1:-1])
        points = torch.from_numpy(np.ascontiguousarray(array)).reshape(len(array), -1, self._size)
        values = self.fields.in_parts(function, points.expand(len(self), -1, -1))
        return [each.numpy().reshape(*shape, *each.shape[2:][:axes]) for each in values]
