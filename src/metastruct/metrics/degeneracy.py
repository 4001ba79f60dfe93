"""Do the degeneracy conditions of GENERIC hold?"""

from __future__ import annotations

from metastruct.evaluation.adapted import Adapted
from metastruct.evaluation.metric import Array, Metric


class Degeneracy(Metric):
    """Largest residual of an identity on the evaluation grid, relative to the sizes of its factors.

    |L grad S|/(|L| |grad S|) of the Poisson matrix, |M grad E|/(|M| |grad E|) of the friction matrix: zero but for
    round-off.

    Args:
        identity: its name in `Dynamics.degeneracies`.
    """

    def __init__(self, identity: str):
        self.identity = identity

    def measure(self, adapted: Adapted) -> dict[str, Array]:
        return {"": adapted.degeneracies[self.identity].max(axis=-1)}
