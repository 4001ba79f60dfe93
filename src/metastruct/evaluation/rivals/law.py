"""A law that a user knows but for its parameters, fitted to one member by least squares.

    min over mu and starts x_0 of sum_i |x(t_i; x_0, mu) - x_i|^2 / spread^2

First over short pieces of the trajectories from their observed starts, which has fewer minima, then over whole ones.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

from metastruct.data.trajectory import Array, Trajectory
from metastruct.evaluation.rivals.rival import Field, Rival, misfits

PIECE = 12  # samples of a piece
ROUNDS = 60  # of each fit

Law = Callable[[Array, Array], Array]


class KnownLaw(Rival):
    """A law with unknown parameters.

    Args:
        law: dx/dt = law(x, mu), x and dx/dt `[..., state]`, mu `[parameters]`.
        start: mu where the search begins.
    """

    def __init__(self, law: Law, start: Sequence[float]):
        self.law, self.start = law, np.asarray(start, float)

    @classmethod
    def read(cls, place: str, start: Sequence[float]) -> KnownLaw:
        """From FILE.py:FUNCTION, a file of the user's own, which is run.

        Raises:
            ValueError: there is no such function.
        """
        path, _, name = place.rpartition(":")
        if not name or not path:
            raise ValueError(f"a law is written as FILE.py:FUNCTION, got {place!r}")
        if not Path(path).is_file():
            raise ValueError(f"{path} must be a file with the function {name}(x, mu), got no such file")
        try:
            law = runpy.run_path(path).get(name)
        except (Exception, SystemExit) as error:
            raise ValueError(f"{path} cannot be run: {type(error).__name__}: {error}") from None
        if not callable(law):
            raise ValueError(f"{path} must have the function {name}(x, mu), got none")
        return cls(law, start)

    def field(self, mu: Array) -> Field:
        """That of one member."""
        return lambda x: np.asarray(self.law(x, mu))

    def fit(self, support: Sequence[Trajectory], spread: Array) -> Field:
        return self.field(self.parameters(support, spread))

    def parameters(self, support: Sequence[Trajectory], spread: Array) -> Array:
        """mu of a member; errors as of `fit`."""
        try:
            shape = np.shape(self.law(support[0].states[:2], self.start))
        except (ValueError, TypeError, IndexError) as error:
            raise ValueError(f"the law refuses a state and {len(self.start)} parameters: {error}") from None
        if shape != support[0].states[:2].shape:
            expected = list(support[0].states[:2].shape)
            raise ValueError(f"the law must give dx/dt of the shape of its states, {expected}, got {list(shape)}")
        pieces = [
            one.part(slice(first, first + PIECE)) for one in support for first in range(0, max(len(one) - 1, 1), PIECE)
        ]
        pieces = [piece for piece in pieces if len(piece) > 1]
        if not pieces:
            raise ValueError("a law needs a trajectory of at least two samples")
        near = least_squares(lambda mu: misfits(self.field(mu), pieces, spread), self.start, max_nfev=ROUNDS)
        size, count = len(self.start), len(support)
        first = np.stack([one.states[0] for one in support])

        def whole(numbers: Array) -> Array:
            starts = first + numbers[size:].reshape(count, -1) * spread
            return misfits(self.field(numbers[:size]), support, spread, starts)

        begin = np.concatenate([near.x, np.zeros(first.size)])
        solution = least_squares(whole, begin, max_nfev=ROUNDS, x_scale="jac")
        return np.asarray(solution.x[:size])
