"""A member for other programs: as ONNX, as a torch.export program, or as a Python module that needs numpy alone.

What leaves is dx/dt, x `[points, state]` -> `[points, state]`, and a step of the classical Runge-Kutta scheme,
(x, h) -> x(t + h). The member's own matrices stand in it as constants; a driven member takes its inputs u
`[points, input]` beside x, held over a step.
"""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from metastruct.api.fields import Fields
from metastruct.api.numpy_source import module_of
from metastruct.data.outside import place_of
from metastruct.dynamics.folded import folded
from metastruct.integrators.flow import Flow
from metastruct.integrators.rk4 import RK4
from metastruct.runs.files import write_atomically

SUFFIXES = (".onnx", ".pt2", ".py")
POINTS = 3  # of the example that is traced; the number stays open


class VectorField(nn.Module):
    """dx/dt of one member at x `[points, state]`, driven by u `[points, input]` where it is driven."""

    def __init__(self, fields: Fields):
        super().__init__()
        self.dynamics = copy.deepcopy(fields.trained.model.dynamics).requires_grad_(False)
        with torch.no_grad():
            self.updates = folded(fields.trained.model.modulation(fields.fit.codes), self.dynamics)

    def forward(self, x: Tensor, u: Tensor | None = None) -> Tensor:
        """`[points, state]`."""
        return self.dynamics.vector_field(x[None], self.updates, None if u is None else u[None])[0]


class Step(nn.Module):
    """x(t + h) by the classical Runge-Kutta scheme, the inputs held over the step."""

    def __init__(self, field: VectorField):
        super().__init__()
        self.field, self.scheme = field, RK4(1.0)

    def forward(self, x: Tensor, h: Tensor, u: Tensor | None = None) -> Tensor:
        """`[points, state]` for a step h `[]`."""
        return self.scheme.step(Flow(lambda state: self.field(state, u)), x, h)


def write(fields: Fields, path: str | Path, step: bool) -> Path:
    """Write the vector field of one member, or its step, in the format that the suffix names; a `.py` holds both.

    Raises:
        ValueError: the suffix is none of .onnx, .pt2 and .py.
        ImportError: ONNX needs the extra `export`, which is not installed.
    """
    path = place_of(path, "path")
    if path.suffix not in SUFFIXES:
        raise ValueError(f"a member is exported to a file that ends in {', '.join(SUFFIXES)}, got {path}")
    field = VectorField(fields)
    if path.suffix == ".py":
        write_atomically(path, module_of(_core(program(field, fields))))
        return path
    traced = program(Step(field) if step else field, fields)
    write_atomically(path, _onnx(traced) if path.suffix == ".onnx" else _saved(traced))
    return path


def program(module: VectorField | Step, fields: Fields) -> torch.export.ExportedProgram:
    """The module as a graph of tensor operations on any number of points."""
    dynamics = fields.trained.model.dynamics
    mean, driving = dynamics.state_mean, getattr(dynamics, "input_mean", None)
    arguments: dict[str, Tensor] = {"x": mean.expand(POINTS, -1).clone()}
    if isinstance(module, Step):
        arguments["h"] = torch.full((), 0.1, dtype=mean.dtype)
    if driving is not None:
        arguments["u"] = driving.expand(POINTS, -1).clone()
    points = torch.export.Dim("points", min=1)
    shapes: dict[str, Any] = {name: {0: points} if values.dim() else None for name, values in arguments.items()}
    with _quiet():
        return torch.export.export(module, (), arguments, dynamic_shapes=shapes, strict=False)


def _core(traced: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    """The same in torch's core operators."""
    with _quiet():
        decomposed: torch.export.ExportedProgram = traced.run_decompositions()
        return decomposed


def _onnx(traced: torch.export.ExportedProgram) -> bytes:
    try:
        import onnxscript  # noqa: F401  which torch translates with
    except ImportError:
        raise ImportError('ONNX needs the extra `export`: pip install "metastruct[export]"') from None
    with _quiet():
        converted = torch.onnx.export(_core(traced), dynamo=True, verbose=False)
    assert converted is not None
    content: bytes = converted.model_proto.SerializeToString()
    return content


def _saved(traced: torch.export.ExportedProgram) -> bytes:
    buffer = io.BytesIO()
    with _quiet():
        torch.export.save(traced, buffer)
    return buffer.getvalue()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch says of its own insides."""
    import logging

    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
