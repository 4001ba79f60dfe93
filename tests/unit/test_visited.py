"""States that a family visits, and momenta that a law keeps, at members of a ring that are exact or pushed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from metastruct.config.schema import ConfigError, composed
from metastruct.data.simulate import integrate
from metastruct.evaluation.metrics.momentum_drift import MomentumDrift
from metastruct.evaluation.visited import visited_states
from metastruct.running.assembly import component
from metastruct.running.validation import validate
from metastruct.running.validation.idle import check_idle

SIDE, HORIZON = 4, 2.0


@pytest.fixture(scope="module")
def ring():
    return component(composed("system=toda", "system.oscillators=4").system)


def test_states_are_those_of_new_trajectories_at_equal_steps(ring):
    mu = ring.corners()
    states = visited_states(ring, mu, SIDE, HORIZON)
    assert states.shape == (2, SIDE, SIDE, 8)
    again = integrate(ring, states[:, :, 0], mu, np.linspace(0, HORIZON, SIDE), 1e-10)
    np.testing.assert_allclose(states, again, atol=1e-6)
    assert np.ptp(states, axis=1).min() > 1e-3


def test_states_of_a_member_do_not_depend_on_the_others(ring):
    mu = ring.corners()
    np.testing.assert_allclose(
        visited_states(ring, mu[1:], SIDE, HORIZON), visited_states(ring, mu, SIDE, HORIZON)[1:], atol=1e-6
    )


@pytest.mark.parametrize(("name", "angular"), [("toda", False), ("bodies", False), ("bodies", True)])
def test_a_momentum_of_the_law_does_not_drift_and_that_of_pushed_members_does(name, angular):
    system = component(composed(f"system={name}").system)
    mu = system.corners()
    paths = integrate(system, visited_states(system, mu, 2, 0.1)[:, :, 0], mu, np.linspace(0, 1, 5), 1e-11)
    pushed = paths.copy()
    pushed[1, 0, -1, -1] += 0.1
    drifts = [
        MomentumDrift(angular).measure(SimpleNamespace(system=system, parameters=mu, rollouts=rollouts))[""]  # type: ignore[arg-type]
        for rollouts in (paths, pushed)
    ]
    assert drifts[0].max() < 1e-9
    assert drifts[1][0] < 1e-9 < 1e-3 < drifts[1][1]


@pytest.mark.torture
def test_a_box_has_no_meaning_where_states_are_visited_ones():
    words = ("system=fput", "net=graph", "evaluation.box_scale=2")
    with pytest.raises(ConfigError, match=r"evaluation.box_scale=2 has no meaning for evaluation.states=visited"):
        check_idle(composed(*words), words)
    check_idle(composed(words[0], words[1]), words[:2])


def test_no_image_is_compared_where_states_are_no_grid():
    with pytest.raises(ConfigError, match="ssim, which needs a known vector field of the system on a grid"):
        validate(composed("system=fput", "evaluation.metrics=[ssim]"))
