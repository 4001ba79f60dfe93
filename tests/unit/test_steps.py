"""Errors of a field that wide test functions average away show from one sample to the next."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from metastruct.config.schema import composed
from metastruct.data.observations import Observations
from metastruct.data.recordings import Recordings
from metastruct.data.shots import whole
from metastruct.data.trajectory import Member, Trajectory
from metastruct.objectives.rollout import Rollout
from metastruct.objectives.steps import slope_errors
from metastruct.running.assembly import component

TIMES, NOISE = np.linspace(0.0, 6.0, 61), 1e-9


@pytest.fixture(scope="module")
def model(random_model, small):
    return random_model(small("modulation=shift"), gain=2.0).double()


def members(model, codes: torch.Tensor, noise: float) -> Recordings:
    """Trajectories of the model with these codes."""
    starts = torch.randn(len(codes), 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    times = torch.from_numpy(TIMES)[None, None, :, None].expand(len(codes), 3, -1, -1)
    rollouts = Rollout(61, 4, "observed", 1.0).learned({"samples": 61, "substeps": 4}, None)
    seen = Observations(states=torch.zeros(len(codes), 183, 2).double(), times=times.flatten(1, 2))
    with torch.no_grad():
        paths = rollouts.path(model, seen, codes, starts).numpy()
    paths = paths + noise * np.random.default_rng(0).standard_normal(paths.shape)
    level = np.full(2, max(noise, NOISE))
    return Recordings([Member(tuple(Trajectory(TIMES, x, noise=level) for x in each)) for each in paths], torch.float64)


def test_the_error_of_a_field_is_told_by_its_steps(model):
    codes = 0.3 * torch.randn(6, model.code_dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    recordings = members(model, codes, 0.0)
    assert float(slope_errors(model, recordings, codes).max()) < 1e-10
    wrong = codes + 0.05 * torch.randn(codes.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    x = torch.stack([recordings.parts["states"][k * 183 : (k + 1) * 183] for k in range(6)])
    with torch.no_grad():
        gap = (model.vector_field(x, wrong) - model.vector_field(x, codes)) / model.dynamics.derivative_std
    torch.testing.assert_close(slope_errors(model, recordings, wrong), gap.square().mean((0, 1)), rtol=0.1, atol=0)
    noisy = members(model, codes, 0.05)
    assert not slope_errors(model, noisy, wrong).any()  # steps of noise say nothing


def test_fast_errors_are_found_where_test_functions_see_none_of_them(model):
    """An error that turns four times within a test function: its mean is nothing, its steps are most of it."""
    codes = torch.zeros(4, model.code_dim, dtype=torch.float64)
    recordings = members(model, codes, 0.0)
    amplitude, omega = 1e-3, 8.0
    ripple = amplitude * (1 - np.cos(omega * TIMES))[:, None] / omega * model.dynamics.derivative_std.numpy()
    rippled = Recordings(
        [
            Member(tuple(Trajectory(one.times, one.states + ripple, noise=one.noise) for one in member.trajectories))
            for member in recordings.members
        ],
        torch.float64,
    )
    shown = slope_errors(model, rippled, codes).numpy()
    np.testing.assert_allclose(shown, amplitude**2 / 2, rtol=0.15)
    weak = component(composed("objective=weak", "objective.half_width=10", "system=pendulum").objective).settled(
        rippled
    )
    observed = whole(rippled.members, weak.request)
    with torch.no_grad():
        residual = weak.residual(model, weak.renewed(model, observed, codes), codes)
    assert float(residual.square().mean()) * weak.least_misfit**2 < 0.3 * amplitude**2 / 2
