"""A model that was trained in units of its own is the same model in the units of the data, whatever its structure."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from metastruct.data.units import Units
from metastruct.integrators.flow import Flow
from metastruct.integrators.rk4 import RK4
from metastruct.integrators.rollout import rollout
from metastruct.running.assembly import commensurate as nearest
from metastruct.running.assembly import model_outside

SIZES = {  # components that a dynamics or a net can have; with the angles of its system a mechanism has four at least
    "generic": (4, 6),
    "local_generic": (5, 7),
    "mechanical": (4, 6),
    "graph": (8, 12),
}


def units_for(cfg, size: int, commensurate: bool = True) -> Units:
    rng = np.random.default_rng(0)
    spread = 10.0 ** rng.uniform(-6, 6, size)
    units = Units(rng.normal(size=size) * spread, spread, 1e-9)
    return nearest(cfg)(units) if commensurate else units


def difference(cfg, model, units: Units) -> float:
    """Largest error of the field of the model outside, in units inside."""
    size = len(units.spread)
    inside = torch.randn(2, 5, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    codes = torch.linspace(-1, 1, 2 * model.code_dim, dtype=torch.float64).reshape(2, -1)
    centre, spread = torch.from_numpy(units.centre), torch.from_numpy(units.spread)
    field = model_outside(cfg, model, units).double().vector_field(centre + spread * inside, codes)
    expected = model.vector_field(inside, codes).detach()
    error = (field.detach() * units.time / spread - expected).abs() / expected.abs().amax((0, 1))
    return float(error.max())


def test_the_field_is_the_same_in_other_units(small, random_model, arrangement):
    cfg = small(*arrangement.overrides)
    for size in SIZES.get(arrangement.dynamics, SIZES.get(arrangement.net, (2, 4, 6))):
        model = random_model(cfg, state_dim=size)
        assert difference(cfg, model, units_for(cfg, size)) < 1e-7, size


def test_units_that_are_not_commensurate_change_a_hamiltonian_law(small, random_model):
    cfg = small("dynamics=hamiltonian")
    model = random_model(cfg, state_dim=4)
    assert difference(cfg, model, units_for(cfg, 4, commensurate=False)) > 0.1


def test_commensurate_units_have_one_action_and_are_those_asked_for_where_there_is_one_pair(small):
    cfg = small("dynamics=hamiltonian")

    def commensurate(spread: np.ndarray) -> np.ndarray:
        return nearest(cfg)(Units(0 * spread, spread)).spread

    spread = np.array([1e-6, 3.0, 1e3, 2.0, 5.0, 1e5])
    q, p = np.split(commensurate(spread), 2)
    np.testing.assert_allclose(q * p, (q * p)[0], rtol=1e-12)
    np.testing.assert_allclose(q / p, spread[:3] / spread[3:], rtol=1e-12)
    np.testing.assert_allclose(commensurate(np.array([1e-6, 1e5])), [1e-6, 1e5], rtol=1e-12)
    doubled = commensurate(spread * 2.0**20)
    assert np.array_equal(doubled, commensurate(spread) * 2.0**20), "the same bits"


@pytest.mark.parametrize("time", [1.0, 1e-9, 86_400.0])
def test_an_integrator_takes_as_many_steps_whatever_the_unit_of_time(time):
    flow = Flow(lambda x: -x / time, time_scale=time)
    times = torch.linspace(0, 3, 7, dtype=torch.float64) * time
    start = torch.ones(1, 1, 2, dtype=torch.float64)
    for instants in (times, times.expand(1, 1, -1)):
        flow._evaluations[0] = 0
        path = rollout(flow, start, instants, RK4(0.1))
        assert flow.evaluations == 4 * 6 * 5
        torch.testing.assert_close(path[0, 0, :, 0], (-times / time).exp(), rtol=1e-5, atol=0)
