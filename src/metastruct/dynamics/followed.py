"""Trajectories of a flow, for whom somebody waits: within the work that is allowed, and told as they grow."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from metastruct.config.stages import ROLLING, tell
from metastruct.config.work import fix, work
from metastruct.integrators.flow import Flow
from metastruct.integrators.integrator import Integrator
from metastruct.integrators.rollout import rollout


def followed(flow: Flow, starts: Tensor, times: Tensor, integrator: Integrator) -> Tensor:
    """States `[tasks, points, instants, state]`; arguments and errors as of `rollout`."""
    return rollout(flow, starts, times, integrator, work(), fix(), partial(tell, ROLLING))
