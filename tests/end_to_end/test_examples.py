"""Examples on data that this project did not simulate, in small."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from metastruct.config.facts import CONF

sys.path.insert(0, str(CONF.parent / "examples"))


def test_the_tables_of_pendulums_are_those_that_their_script_writes(tmp_path):
    import pendulums

    pendulums.main(tmp_path)
    for name in ("pendulums.csv", "new_pendulum.csv"):
        assert (tmp_path / name).read_bytes() == (CONF.parent / "examples" / name).read_bytes()


@pytest.mark.torture
@pytest.mark.parametrize("model", ["pendulum", "cart_pole"])
def test_members_of_mujoco_are_learned_adapted_and_drawn(model, tmp_path):
    pytest.importorskip("mujoco")
    import mujoco_pendulums

    assert np.isfinite(mujoco_pendulums.main(model, small=True, folder=tmp_path))
    assert (tmp_path / f"mujoco_{model}.png").stat().st_size > 1000


def test_momenta_and_slopes_of_mujoco_are_those_of_a_hamiltonian_system():
    """dq/dt = p/I and dp/dt = -m g l/2 sin q of a rod, whose ends are round."""
    pytest.importorskip("mujoco")
    import mujoco_pendulums

    mujoco_pendulums_noise, mujoco_pendulums.NOISE = mujoco_pendulums.NOISE, 0.0
    try:
        (one,) = mujoco_pendulums.trajectories("pendulum", 0.8, 1.0, 1, 60, np.random.default_rng(0))
    finally:
        mujoco_pendulums.NOISE = mujoco_pendulums_noise
    q, p = one["states"].T
    dq, dp = one["derivatives"].T
    inertia = p @ p / (dq @ p)
    assert inertia == pytest.approx(0.8 / 3, rel=0.06)
    np.testing.assert_allclose(dq, p / inertia, atol=1e-4)
    np.testing.assert_allclose(dp, -0.8 * 9.81 / 2 * np.sin(q), atol=1e-3)
