"""The evaluation grid: uniform on a task's box in the first two components, the others at their middle."""

from __future__ import annotations

import numpy as np

from metastruct.systems.system import System

Array = np.ndarray


def evaluation_grid(system: System, mu: Array, side: int, box_scale: float) -> Array:
    """States `[tasks, side, side, state]`; `box_scale` enlarges the box about its centre."""
    box = system.box(mu)
    centre, half = box.mean(axis=-1), box_scale * (box[..., 1] - box[..., 0]) / 2
    grid = np.broadcast_to(centre[:, None, None, :], (len(mu), side, side, system.state_dim)).copy()
    unit = np.linspace(-1.0, 1.0, side)
    grid[..., 0] += half[:, 0, None, None] * unit[None, :, None]
    grid[..., 1] += half[:, 1, None, None] * unit[None, None, :]
    return grid
