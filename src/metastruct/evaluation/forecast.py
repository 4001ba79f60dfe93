"""How far a forecast may be off: what is unknown of a member, carried along its trajectory.

Three things are unknown: the code, of which the posterior is N(z, Sigma); the field that no code explains, taken as the
same all along a trajectory, which is the worst that it can be; and the start, where its error is given. Each direction
of each is moved by one standard deviation to either side and rolled out, and half the distance of the two trajectories
is what it contributes: a central difference of the flow, which holds as long as the flow is nearly linear over a
standard deviation. All trajectories of all members go through in one batch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from metastruct.adaptation.adaptation import Fit, Prior
from metastruct.config.work import fix, work
from metastruct.dynamics.model import ModulatedModel
from metastruct.integrators.flow import Flow
from metastruct.integrators.rk4 import RK4
from metastruct.integrators.rollout import rollout
from metastruct.integrators.signal import Signal


def state_std(
    model: ModulatedModel,
    fit: Fit,
    prior: Prior,
    starts: Tensor,
    times: Tensor,
    step_size: float,
    signal: Signal | None = None,
    start_std: Tensor | None = None,
) -> Tensor:
    """Standard deviation of the states `[tasks, points, times, state]` of adapted members.

    Args:
        fit: codes z with their covariance Sigma; without an agreement the misfit is that of the training tasks.
        starts: `[tasks, points, state]`.
        times: `[times]`, or `[tasks, points, times]`.
        step_size: of the integrator.
        signal: what drives the members.
        start_std: of the starts, `[state]`.
    """
    codes, tasks = fit.codes, len(fit.codes)
    assert fit.covariance is not None
    variances, directions = torch.linalg.eigh(fit.covariance)
    scale = torch.ones_like(codes[:, 0]) if fit.agreement is None else fit.agreement.scale
    field_std = (scale[:, None] * prior.field_noise).sqrt() * model.dynamics.derivative_std
    start_std = torch.zeros_like(field_std[0]) if start_std is None else start_std
    along = {
        "code": directions.mT * variances.clamp(min=0).sqrt()[..., None],
        "field": torch.diag_embed(field_std),
        "start": torch.diag(start_std).expand(tasks, -1, -1),
    }
    count, first = sum(rows.shape[1] for rows in along.values()), 0
    moves = {name: codes.new_zeros(tasks, count, rows.shape[2]) for name, rows in along.items()}
    for name, rows in along.items():
        moves[name][:, first : first + rows.shape[1]] = rows
        first += rows.shape[1]
    both = {name: torch.cat([rows, -rows], 1).flatten(0, 1)[:, None] for name, rows in moves.items()}
    with torch.no_grad():
        updates = model.modulation(codes.repeat_interleave(2 * count, 0) + both["code"][:, 0])

    def field(states: Tensor, u: Tensor | None = None) -> Tensor:
        driving = None if u is None else u.expand(*states.shape[:-1], -1)
        return model.dynamics.vector_field(states, updates, driving) + both["field"]

    def repeated(values: Tensor) -> Tensor:
        return values.repeat_interleave(2 * count, 0) if len(values) == tasks else values

    if signal is not None:
        instants = signal.times if signal.times.dim() == 1 else repeated(signal.times)
        signal = Signal(instants, signal.values if signal.values.dim() == 2 else repeated(signal.values), signal.held)
    times = times if times.dim() == 1 else repeated(times)
    flow = Flow(field, None, signal, model.dynamics.time_scale)
    paths = rollout(flow, starts.repeat_interleave(2 * count, 0) + both["start"], times, RK4(step_size), work(), fix())
    plus, minus = paths.unflatten(0, (tasks, 2, count)).unbind(1)
    return ((plus - minus) / 2).square().sum(1).sqrt()
