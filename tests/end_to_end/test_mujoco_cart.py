"""Carts of MuJoCo in small: motions that are pushed, and the whole way from a table to forecasts."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from metastruct.config.facts import CONF

sys.path.insert(0, str(CONF.parent / "examples"))
CARTS = pytest.importorskip("mujoco") and __import__("mujoco_cart")


def test_a_cart_takes_the_push_that_is_held():
    """(cart + pole) dv/dt = u - friction v, but for the swing of a pole that weighs a twentieth."""
    cart = {"cart": 2.0, "pole": 0.1, "length": 0.5, "friction": 0.1}
    times, states, inputs = CARTS.motion(cart, 0.4, np.random.default_rng(0))
    assert len(times) == len(states) == len(inputs) == 41
    assert len(np.unique(inputs)) == 3
    assert (inputs[:20] == inputs[0]).all()
    slope = (states[20, 2] - states[0, 2]) / 0.2
    assert slope == pytest.approx((inputs[0, 0] - 0.1 * states[:20, 2].mean()) / 2.1, rel=0.15)


@pytest.mark.torture
def test_carts_are_learned_from_a_table_and_forecast(tmp_path):
    figures = CARTS.main(small=True, folder=tmp_path)
    assert all(np.isfinite(value) for value in figures.values())
    assert (tmp_path / "carts.csv").stat().st_size > 1000
