"""Do the degeneracy conditions of GENERIC hold?"""

from __future__ import annotations

from metastruct.evaluation.adapted import Adapted
from metastruct.evaluation.metric import Array, Metric


class Degeneracy(Metric):
    """Largest residual of an identity over the points of a task, relative to the sizes of its factors.

    |L grad S|/(|L| |grad S|) of the Poisson matrix, |M grad E|/(|M| |grad E|) of the friction matrix, in the scaled
    coordinates of the bracket: zero but for round-off. The points are those of the evaluation grid, or the query states
    where nobody knows the law.

    Args:
        identity: its name in `Dynamics.degeneracies`.
    """

    def __init__(self, identity: str):
        self.identity = identity

    def measure(self, adapted: Adapted) -> dict[str, Array]:
        return {"": adapted.degeneracies[self.identity].max(axis=-1)}
