"""Steps that a scheme cannot solve are told once a rollout, with their number; one that solves nothing is silent."""

from __future__ import annotations

import warnings

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor

from metastruct.config.facts import CONF, options
from metastruct.integrators.flow import Flow
from metastruct.integrators.integrator import Integrator
from metastruct.integrators.rollout import rollout
from metastruct.running.assembly import component

EXPLICIT = ("leapfrog", "rk4")  # the control: whatever solves is told of
STARTS = torch.tensor([[1.0, 0.5], [-1.5, 0.4], [0.0, 0.0]], dtype=torch.float64)[None]
TIMES = torch.linspace(0, 12, 3, dtype=torch.float64)
MILD = torch.linspace(0, 0.4, 5, dtype=torch.float64)


def scheme(name: str, step: float) -> Integrator:
    return component(OmegaConf.merge(OmegaConf.load(CONF / "integrator" / f"{name}.yaml"), {"step_size": step}))


def damped(friction: float) -> Flow:
    """A pendulum, one without friction too; beyond steps of 2 / friction no iteration contracts."""

    def field(x: Tensor) -> Tensor:
        q, v = x.chunk(2, -1)
        return torch.cat([v, -q.sin() - friction * v], -1)

    def energy(x: Tensor) -> Tensor:
        return x[..., 1] ** 2 / 2 - x[..., 0].cos()

    return Flow(field, energy, power=(lambda x: -friction * x[..., 1] ** 2) if friction else None)


def told(flow: Flow, times: Tensor, integrator: Integrator, starts: Tensor = STARTS) -> tuple[list[str], Tensor]:
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        path = rollout(flow, starts, times, integrator)
    return [str(note.message) for note in notes], path


@pytest.mark.parametrize("friction", [0.0, 5.0])
@pytest.mark.parametrize("name", options("integrator"))
def test_steps_that_are_not_solved_are_told_once_for_equal_times_and_for_ragged_ones(name, friction):
    integrator = scheme(name, 6.0)
    equal, path = told(damped(friction), TIMES, integrator)
    ragged, same = told(damped(friction), TIMES.expand(1, 3, -1), integrator)
    assert equal == ragged
    torch.testing.assert_close(path, same, equal_nan=True, rtol=0, atol=1e-12)
    solves = name not in EXPLICIT and (friction > 0 or name != "verlet")  # whose force without friction is explicit
    assert len(equal) == solves
    if solves:
        assert " of 3 trajectories were not solved: " in equal[0]
        gone = int(path.isnan().any(-1).any(-1).sum())
        assert (f"{gone} became NaN" in equal[0]) == (gone > 0)
    assert told(damped(friction), MILD, scheme(name, 0.05))[0] == []


def test_every_step_counts_and_every_trajectory_once():
    small = torch.tensor([[1e-9, 0.0], [1.0, 0.5]], dtype=torch.float64)[None]
    said, path = told(damped(0.1), MILD, scheme("balanced_midpoint", 0.05), small)
    assert said[0].startswith("8 steps of 1 of 2 trajectories were not solved: 8 were taken without correction; ")
    plain = rollout(damped(0.1), small, MILD, scheme("implicit_midpoint", 0.05))
    torch.testing.assert_close(path[:, 0], plain[:, 0], rtol=0, atol=0)  # what round-off of the energy hides
    assert (path[:, 1] != plain[:, 1])[..., 1:, :].any()
