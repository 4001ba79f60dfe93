"""Known parts in the units of the nets of mechanical dynamics.

    q = origin + length y,   v = (length/duration) w,   E = unit (w^T M w/2 + V)

so M = length M_known length/(unit duration^2), V = V_known/unit, D = length D_known length/(unit duration) and B u =
length B_known u/unit. The unit of energy is one in which the first part that is known, of mass, potential, drive and
friction, is of the order of what nets give; its states are a fixed draw about the data.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from metastruct.dynamics.known.known import Known
from metastruct.dynamics.triangular import times

DRAWS = 32
ROUND_OFF = 1e-6  # of single precision, relative


class Inside(nn.Module):
    """What is known, as functions of positions y and velocities w `[..., coordinate]`.

    Args:
        law: what is known, in the units of the data.
        origin, length: of positions, `[coordinate]`.
        duration: the time in which w = 1 crosses a length.
        strength: of the forces that nets give.
        input_unit: what one of the inputs of the model is in those of the data `[input]`; None where there are none.
        input_scale: the size of the inputs of the model, as input_unit.

    Raises:
        ValueError: a part is of another shape, not finite, not symmetric, negative, or all of them are zero.
        NotImplementedError: the constants are of the meta device, which has no numbers.
    """

    origin: Tensor
    length: Tensor
    duration: Tensor
    unit: Tensor
    input_unit: Tensor

    def __init__(
        self,
        law: Known,
        origin: Tensor,
        length: Tensor,
        duration: Tensor,
        strength: Tensor,
        input_unit: Tensor | None,
        input_scale: Tensor | None,
    ):
        super().__init__()
        if origin.is_meta:
            raise NotImplementedError("known parts are asked at numbers")
        self.law, self.parts = law, law.parts
        constants = {"origin": origin, "length": length, "duration": duration, "unit": torch.ones_like(strength)}
        for name, values in constants.items():
            self.register_buffer(name, values.clone())
        self.inputs = 0 if input_unit is None else len(input_unit)
        self.register_buffer("input_unit", origin.new_zeros(0) if input_unit is None else input_unit.clone())
        if "drive" in self.parts and not self.inputs:
            raise ValueError("known.drive has no meaning where no inputs drive the members; leave it out")
        generator = torch.Generator(device="cpu").manual_seed(0)
        y, w = torch.randn(2, 1, DRAWS, len(origin), generator=generator, dtype=torch.float64, device="cpu").to(origin)
        self._check(y, w)
        drive = None if input_scale is None else input_scale.expand(*y.shape[:-1], -1)
        self.register_buffer("unit", self._size(y, w, strength, drive) / strength)

    def _check(self, y: Tensor, w: Tensor) -> None:
        n, q = y.shape[-1], self._q(y)
        shapes = {"potential": (), "mass": (n, n), "friction": (n, n), "drive": (n, self.inputs)}
        for part in self.parts:
            function = getattr(self.law, part)
            try:
                values = function(q, self._v(w)) if part == "friction" else function(q)
            except (RuntimeError, IndexError) as error:
                words = f"must take positions [..., {n}], got an error: {error}"
                raise ValueError(f"known.{part} {words}") from error
            shape, rank = shapes[part], len(shapes[part])
            if values.shape[values.dim() - rank :] != shape or (rank == 0 and values.shape != q.shape[:-1]):
                expected = "[..., " + ", ".join(map(str, shape)) + "]" if rank else "one number a state"
                raise ValueError(f"known.{part} must give {expected}, got the shape {[*values.shape]}")
            if not bool(values.isfinite().all()):
                raise ValueError(f"known.{part} must be finite at the states of the data, got NaN or infinite numbers")
            if part in ("mass", "friction"):
                size, spectrum = values.abs().max(), torch.linalg.eigvalsh(values)
                if bool((values - values.mT).abs().max() > ROUND_OFF * size or spectrum.min() < -ROUND_OFF * size):
                    raise ValueError(f"known.{part} must be symmetric and not negative, got another matrix")

    def _size(self, y: Tensor, w: Tensor, strength: Tensor, inputs: Tensor | None) -> Tensor:
        """Root of the mean square of the forces of the first part that is there, with an energy of unit one."""
        forces = {
            "mass": lambda: times(self.mass(y), strength * torch.ones_like(y)),
            "potential": lambda: self.force(y),
            "drive": lambda: self.driven(y, inputs),  # type: ignore[arg-type]
            "friction": lambda: times(self.friction(y, w), torch.ones_like(y)),
        }
        for part, force in forces.items():
            if part in self.parts and bool((size := force().square().mean().sqrt()) > 0):
                return size
        raise ValueError("known parts that are all zero at the states of the data say nothing; leave known out")

    def _q(self, y: Tensor) -> Tensor:
        return self.origin + self.length * y

    def _v(self, w: Tensor) -> Tensor:
        return w * (self.length / self.duration)

    def energy(self, y: Tensor) -> Tensor:
        """V `[...]`."""
        return self.law.potential(self._q(y)) / self.unit

    def force(self, y: Tensor) -> Tensor:
        """-grad V, as y."""
        return -self.length * self.law.slope(self._q(y)) / self.unit

    def mass(self, y: Tensor) -> Tensor:
        """M `[..., coordinate, coordinate]`."""
        return self._both(self.law.mass(self._q(y))) / (self.unit * self.duration.square())

    def coriolis(self, y: Tensor, w: Tensor) -> Tensor:
        """C w of the known mass."""
        return self.length * self.law.coriolis(self._q(y), self._v(w)) / self.unit

    def friction(self, y: Tensor, w: Tensor) -> Tensor:
        """D `[..., coordinate, coordinate]`."""
        return self._both(self.law.friction(self._q(y), self._v(w))) / (self.unit * self.duration)

    def driven(self, y: Tensor, inputs: Tensor) -> Tensor:
        """B u `[..., coordinate]` of inputs of the model."""
        return self.length * times(self.law.drive(self._q(y)), inputs * self.input_unit) / self.unit

    def _both(self, matrix: Tensor) -> Tensor:
        return self.length[:, None] * matrix * self.length
