from __future__ import annotations

import numpy as np
import pytest

from metastruct.evaluation.grid import evaluation_grid
from metastruct.systems.pendulum import Pendulum

PENDULUM = Pendulum({"m": [0.5, 1.5], "l": [0.75, 1.25], "q0": [-0.5, 0.5]})
MU = np.array([[1.0, 1.0, 0.3], [0.5, 1.25, -0.5], [1.5, 0.75, 0.0]])


class Solid:
    """A box of three dimensions, which is all that a grid asks of a system."""

    state_dim = 3

    def box(self, mu):
        return np.array([[[0.0, 1.0], [2.0, 4.0], [10.0, 30.0]]])


def test_a_grid_spans_the_box_of_each_task_and_is_uniform():
    grid, box = evaluation_grid(PENDULUM, MU, 13, 1.0), PENDULUM.box(MU)
    assert grid.shape == (3, 13, 13, 2)
    for task in range(3):
        np.testing.assert_allclose(grid[task, :, 5, 0], np.linspace(*box[task, 0], 13), atol=1e-14)
        np.testing.assert_allclose(grid[task, 5, :, 1], np.linspace(*box[task, 1], 13), atol=1e-14)


def test_the_first_axis_moves_q_alone_and_the_second_p_alone():
    grid = evaluation_grid(PENDULUM, MU, 13, 1.0)
    assert not np.ptp(grid[..., 0], axis=2).any()
    assert not np.ptp(grid[..., 1], axis=1).any()


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_box_scale_enlarges_the_box_about_its_centre(scale):
    grid, box = evaluation_grid(PENDULUM, MU, 11, scale), PENDULUM.box(MU)
    np.testing.assert_allclose(np.ptp(grid, axis=(1, 2)), scale * np.ptp(box, axis=-1))
    np.testing.assert_allclose(grid.mean(axis=(1, 2)), box.mean(-1), atol=1e-14)


def test_the_other_components_stay_at_their_middle():
    grid = evaluation_grid(Solid(), np.zeros((1, 1)), 5, 1.0)
    np.testing.assert_array_equal(grid[..., 2], np.full((1, 5, 5), 20.0))
    np.testing.assert_allclose(grid[0, [0, -1], [0, -1], :2], [[0, 2], [1, 4]])


def test_the_corners_hold_more_energy_than_any_start():
    grid = evaluation_grid(PENDULUM, MU, 11, 1.0)
    energy = PENDULUM.energy(grid.reshape(3, -1, 2), MU).reshape(3, 11, 11)
    cap = PENDULUM.energy_cap(MU)
    np.testing.assert_allclose(energy[:, 0, 0] / cap, 2)
    assert (energy[:, 5, 5] < 1e-12).all()
