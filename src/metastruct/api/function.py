"""The field of a member as a function that scipy calls."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from metastruct.api.fields import Fields
from metastruct.data.outside import Array, floats
from metastruct.integrators.signal import Signal


def function_of(fields: Fields, signal: Signal | None = None) -> Callable[[float, Array], Array]:
    """f(t, y) = dx/dt, y `[state]` or `[state, n]`, of the fields of one member, driven by a signal u(t) if any.

    Raises:
        ValueError: of the function: y has another shape.
    """
    dynamics, updates, size = fields.trained.model.dynamics, fields.updates(1), fields.space.state_dim
    still = torch.zeros((), dtype=torch.float64)

    def field(t: float, y: Array) -> Array:
        plain = type(y) is np.ndarray and y.dtype == np.float64
        array = y if plain else floats(y, f"y must be numbers of shape [{size}] or [{size}, n]")
        if array.ndim not in (1, 2) or len(array) != size:
            raise ValueError(f"y must have the shape [{size}] or [{size}, n], got {list(array.shape)}")
        x = torch.from_numpy(np.ascontiguousarray(array))
        with torch.inference_mode():
            states = x.reshape(size, -1).mT[None]
            u = None if signal is None else signal.at(still + float(t), still, 0.0).expand(*states.shape[:-1], -1)
            return dynamics.vector_field(states, updates, u)[0].mT.reshape(x.shape).numpy()

    return field
