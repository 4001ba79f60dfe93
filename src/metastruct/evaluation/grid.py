"""The evaluation grid: uniform on a task's box in two components, the others at their middle or as the system says."""

from __future__ import annotations

import numpy as np

from metastruct.systems.system import System

Array = np.ndarray


def evaluation_grid(system: System, mu: Array, side: int, box_scale: float) -> Array:
    """States `[tasks, side, side, state]`; `box_scale` enlarges the box about its centre."""
    box = system.grid_box(mu)
    centre, half = box.mean(axis=-1), box_scale * (box[..., 1] - box[..., 0]) / 2
    grid = np.broadcast_to(centre[:, None, None, :], (len(mu), side, side, system.state_dim)).copy()
    unit = np.linspace(-1.0, 1.0, side)
    first, second = system.grid_axes
    grid[..., first] += half[:, first, None, None] * unit[None, :, None]
    grid[..., second] += half[:, second, None, None] * unit[None, None, :]
    return system.on_grid(grid.reshape(len(mu), -1, system.state_dim), mu).reshape(grid.shape)
