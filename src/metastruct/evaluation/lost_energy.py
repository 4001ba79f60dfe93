"""Do the members of a training keep the energy that it learned for them? A law that keeps it cannot tell by itself.

Along each trajectory the mean of E over its last third is compared with that over its first, in units of the spread
that E has where positions of one instant meet momenta of another. What a training missed falls here and rises there;
friction lowers nearly all of them (a sign test), and by much.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.stats import binomtest
from torch import Tensor

from metastruct.config.facts import providing
from metastruct.data.trajectory import Array, Member
from metastruct.dynamics.model import ModulatedModel

FEWEST = 12  # instants of a trajectory that is looked at
MUCH = 0.1  # of the spread of the energy, by which the median trajectory must change
SURE = 1e-3  # as rarely signs would be so one-sided by chance


def lost_energy(model: ModulatedModel, codes: Tensor, members: Sequence[Member]) -> str | None:
    """A line where the law keeps its energy and the members do not, with codes `[members, code]`; else None."""
    if not model.dynamics.conserves or len(codes) != len(members):
        return None
    changes = np.concatenate([_changes(model, code, member) for code, member in zip(codes, members, strict=True)])
    falling, count = int((changes < 0).sum()), len(changes)
    if not count or np.median(np.abs(changes)) < MUCH or binomtest(falling, count).pvalue > SURE:
        return None
    way, reason = ("falls", "friction") if 2 * falling > count else ("rises", "something drives them")
    return (
        f"the learned energy {way} along {max(falling, count - falling)} of {count} trajectories, by "
        f"{np.median(np.abs(changes)):.0%} of its spread on the median, and this law would keep it: {reason}; "
        f"{providing('dynamics', 'parts')} has parts for both"
    )


@torch.no_grad()
def _changes(model: ModulatedModel, code: Tensor, member: Member) -> Array:
    """Of the energy along each trajectory that is long enough, over its spread."""
    every = [one.states for one in member.trajectories if len(one) >= FEWEST]
    if not every:
        return np.empty(0)
    states = np.concatenate(every)
    half, order = states.shape[1] // 2, np.random.default_rng(0).permutation(len(states))
    mixed = np.concatenate([states[:, :half], states[order, half:]], -1)
    along, apart = (model.energy(torch.from_numpy(x)[None], code[None])[0].numpy() for x in (states, mixed))
    pieces = np.split(along, np.cumsum([len(path) for path in every])[:-1])
    changes = [path[-(len(path) // 3) :].mean() - path[: len(path) // 3].mean() for path in pieces]
    spread = apart.std()
    return np.array(changes) / spread if spread > 0 else np.zeros(len(changes))
