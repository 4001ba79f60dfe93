"""Known parts that need no code: matrices that are the same at all states, springs, and bodies on rods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from metastruct.dynamics.known.known import Known

Matrix = Sequence[Sequence[float]]


class Constants(Known):
    """Constant M, D and B, and V = q^T S q/2 - sum_k w_k cos(a_k q).

    A pendulum of mass m and length l has the weight w = m g l with a = [[1]]; an arm of two links, whose elbow is
    measured from the upper link, the weights [(m1 + m2) g l1, m2 g l2] with a = [[1, 0], [1, 1]].

    Args:
        mass, friction, drive: M, D and B.
        springs: S.
        weights, arms: w `[bodies]` and a `[bodies, coordinate]`.

    Raises:
        ValueError: nothing is known, one is no matrix, springs are not symmetric, or weights and arms do not fit.
    """

    def __init__(
        self,
        mass: Matrix | None = None,
        friction: Matrix | None = None,
        drive: Matrix | None = None,
        springs: Matrix | None = None,
        weights: Sequence[float] | None = None,
        arms: Matrix | None = None,
    ):
        super().__init__()
        column = None if weights is None else [[weight] for weight in _row("weights", weights)]
        entries = {"mass": mass, "friction": friction, "drive": drive, "springs": springs, "arms": arms}
        entries["weights"] = column
        self.matrices = {name: _matrix(name, values) for name, values in entries.items() if values is not None}
        if not self.matrices:
            raise ValueError("known=constants must hold one of mass, friction, drive, springs, or weights with arms")
        if len(self.matrices.get("weights", ())) != len(self.matrices.get("arms", ())):
            raise ValueError(
                f"known.weights must have as many numbers as known.arms has rows, got {weights} and {arms}"
            )

    @property
    def parts(self) -> tuple[str, ...]:
        fields = {"mass": ("mass",), "friction": ("friction",), "drive": ("drive",), "potential": ("springs", "arms")}
        return tuple(part for part, names in fields.items() if any(name in self.matrices for name in names))

    def potential(self, q: Tensor) -> Tensor:
        energy = 0 * q[..., 0]
        if "springs" in self.matrices:
            energy = energy + (q * (q @ self._like("springs", q))).sum(-1) / 2
        if "arms" in self.matrices:
            energy = energy - ((q @ self._like("arms", q).mT).cos() @ self._like("weights", q))[..., 0]
        return energy

    def slope(self, q: Tensor) -> Tensor:
        slope = 0 * q
        if "springs" in self.matrices:
            slope = slope + q @ self._like("springs", q)
        if "arms" in self.matrices:
            arms = self._like("arms", q)
            slope = slope + ((q @ arms.mT).sin() * self._like("weights", q)[:, 0]) @ arms
        return slope

    def coriolis(self, q: Tensor, v: Tensor) -> Tensor:
        return 0 * v

    def mass(self, q: Tensor) -> Tensor:
        return self._like("mass", q)

    def friction(self, q: Tensor, v: Tensor) -> Tensor:
        return self._like("friction", q)

    def drive(self, q: Tensor) -> Tensor:
        return self._like("drive", q)

    def _like(self, name: str, q: Tensor) -> Tensor:
        return self.matrices[name].to(q)


def _row(name: str, values: Any) -> list[float]:
    """Numbers, as they are; a truth value is none."""
    if not (isinstance(values, Sequence) and all(type(value) in (int, float) for value in values)):
        raise ValueError(f"known.{name} must be finite numbers such as [2.0, 1.0], got {values}")
    return [*values]


def _matrix(name: str, values: Any) -> Tensor:
    """In double precision `[rows, columns]`."""
    try:
        matrix = torch.tensor([_row(name, row) for row in values], dtype=torch.float64, device="cpu")
    except (TypeError, ValueError):
        matrix = torch.full((), torch.nan)
    if matrix.dim() != 2 or not matrix.numel() or not bool(matrix.isfinite().all()):
        raise ValueError(f"known.{name} must be finite numbers such as [[2.0, 0.0], [0.0, 1.0]], got {values}")
    if name == "springs" and not torch.equal(matrix, matrix.mT):
        raise ValueError(f"known.springs must be a symmetric matrix, got {values}")
    return matrix
