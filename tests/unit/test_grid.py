from __future__ import annotations

import numpy as np
import pytest

from metastruct.evaluation.grid import evaluation_grid
from metastruct.systems.damped_chain import DampedChain
from metastruct.systems.pendulum import Pendulum
from metastruct.systems.two_gas_containers import TwoGasContainers, energies

PENDULUM = Pendulum({"m": [0.5, 1.5], "l": [0.75, 1.25], "q0": [-0.5, 0.5]})
MU = np.array([[1.0, 1.0, 0.3], [0.5, 1.25, -0.5], [1.5, 0.75, 0.0]])


class Solid:
    """A box of three dimensions, which is all that a grid asks of a system."""

    state_dim = 3
    grid_axes = (0, 1)

    def grid_box(self, mu):
        return np.array([[[0.0, 1.0], [2.0, 4.0], [10.0, 30.0]]])

    def on_grid(self, x, mu):
        return x


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


def test_a_system_names_the_components_that_the_grid_varies():
    class Turned(Solid):
        grid_axes = (2, 0)

    grid = evaluation_grid(Turned(), np.zeros((1, 1)), 5, 1.0)
    np.testing.assert_array_equal(grid[..., 1], np.full((1, 5, 5), 3.0))
    np.testing.assert_allclose(grid[0, 4, 0], [0, 3, 30])
    np.testing.assert_allclose(grid[0, 0, 4], [1, 3, 10])


def test_gases_on_the_grid_have_the_energy_of_the_benchmark():
    gases = TwoGasContainers({"m": [0.5, 2], "a": [0.2, 1]})
    grid = evaluation_grid(gases, np.array([[1.0, 0.5]]), 11, 1.0)
    np.testing.assert_allclose(energies(grid), 2.0, rtol=1e-12)
    np.testing.assert_allclose(grid[0, [0, -1], [0, -1], :2], [[0.6, -1], [1.4, 1]])


def test_the_grid_of_a_chain_reaches_the_energy_cap_where_the_other_oscillators_rest():
    chain = DampedChain({"k": [0.5, 1.5], "gamma": [0.05, 0.3]}, oscillators=4)
    mu = np.array([[1.0, 0.1, 0.1, 0.1, 0.1], [0.5, 0.1, 0.2, 0.3, 0.1]])
    grid = evaluation_grid(chain, mu, 11, 1.0)
    assert not grid[..., [1, 2, 3, 5, 6, 7, 8]].any()
    energy = chain.energy(grid.reshape(2, -1, 9), mu).reshape(2, 11, 11)
    np.testing.assert_allclose(energy[:, 0, 5], chain.energy_cap(mu), rtol=1e-9)
    np.testing.assert_allclose(energy[:, 5, 0], chain.energy_cap(mu), rtol=1e-9)
