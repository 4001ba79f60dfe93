"""How a member leaves for other programs: as a file of theirs, or as a function."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from metastruct.api import export
from metastruct.api.fields import Fields
from metastruct.api.function import function_of
from metastruct.api.space import Space
from metastruct.data.outside import Array, instants_of


class Leaving:
    """What a member has for that.

    Attributes:
        fields: of the member alone.
    """

    fields: Fields
    _space: Space

    def export(self, path: str | Path, step: bool = False) -> Path:
        """Write dx/dt, x `[points, state]` -> `[points, state]`, for other programs; returns the path.

        The suffix chooses: .onnx (needs the extra `export`), .pt2 of torch.export, .py for a module of numpy alone,
        which holds the step as well. A driven member takes its inputs u `[points, input]` as another argument.

        Args:
            step: write instead a step of the classical Runge-Kutta scheme, (x, h) -> x(t + h).

        Raises:
            ValueError: the suffix is another one.
            ImportError: the extra is not installed.
        """
        return export.write(self.fields, path, step)

    def as_function(
        self, inputs: tuple[ArrayLike, ArrayLike] | None = None, held: bool | None = None
    ) -> Callable[[float, Array], Array]:
        """f(t, y) = dx/dt as scipy calls it: y `[state]`, or `[state, n]` at once, where a number may be NaN.

        `solve_ivp(member.as_function(), (0, 10), x0, vectorized=True)`.

        Args:
            inputs: where the member is driven, a pair (t, u) as of `rollout`. What is held jumps at its instants, where
                a solver must begin anew: `max_step` below their spacing, or a call from one to the next.
            held: as of `rollout`.

        Raises:
            ValueError: the member is driven and there are no inputs, or the other way round.
        """
        if self._space.input_dim and not isinstance(inputs, tuple):
            raise ValueError(
                f"this member is driven by {self._space.input_dim} inputs; give as_function a pair inputs=(t, u)"
            )
        instants = np.zeros(1) if not isinstance(inputs, tuple) else instants_of(inputs[0])
        return function_of(self.fields, self._space.signal(inputs, instants, held))
