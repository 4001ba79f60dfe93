"""How far a forecast may be off: what is unknown of a member, carried along its trajectory.

Three things are unknown: the code, of which the posterior is N(z, Sigma); the field that no code explains, taken as the
same all along a trajectory, which is the worst that it can be; and the start, where its error is given. Each direction
of each is moved by one standard deviation to either side and rolled out, and half the distance of the two trajectories
is what it contributes: a central difference of the flow, which holds as long as the flow is nearly linear over a
standard deviation. All trajectories go through in one batch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from metastruct.api.fields import Fields
from metastruct.integrators.flow import Flow
from metastruct.integrators.rk4 import RK4
from metastruct.integrators.rollout import rollout
from metastruct.integrators.signal import Signal


def spread(
    fields: Fields, x: Tensor, times: Tensor, inputs: Tensor | None = None, start_std: Tensor | None = None
) -> Tensor:
    """Standard deviation of the states `[points, times, state]` of one member, from starts `[points, state]`.

    Args:
        times: `[times]`.
        inputs: what drives it at these times `[times, input]`.
        start_std: of the starts, `[state]`.
    """
    model, code, prior = fields.trained.model, fields.fit.codes, fields.prior
    variances, directions = torch.linalg.eigh(fields.covariance[0])
    along = [
        ("code", directions.mT * variances.clamp(min=0).sqrt()[:, None]),
        ("field", torch.diag(prior.field_noise.sqrt() * model.dynamics.derivative_std)),
        ("start", torch.diag(torch.zeros_like(x[0]) if start_std is None else start_std)),
    ]
    count = sum(len(rows) for _, rows in along)
    moves = {name: x.new_zeros(count, rows.shape[1]) for name, rows in along}
    first = 0
    for name, rows in along:
        moves[name][first : first + len(rows)] = rows
        first += len(rows)
    code_move, offset, start = (torch.cat([moves[name], -moves[name]]) for name, _ in along)
    with torch.no_grad():
        updates = model.modulation(code + code_move)

    def field(states: Tensor, u: Tensor | None = None) -> Tensor:
        driving = None if u is None else u.expand(*states.shape[:-1], -1)
        return model.dynamics.vector_field(states, updates, driving) + offset[:, None]

    flow = Flow(field, None, None if inputs is None else Signal(times, inputs))
    paths = rollout(flow, x + start[:, None], times, RK4(fields.integrator.step_size))
    return ((paths[:count] - paths[count:]) / 2).square().sum(0).sqrt()
