"""From graphs of tensor operations to the source of a module that needs numpy alone.

A graph in torch's core operators becomes a function of one assignment an operation; what does not depend on the
arguments is computed here and stands in the module as an array.
"""

from __future__ import annotations

import base64
import math
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch.fx import Node

HEAD = '''"""dx/dt of a member, and a Runge-Kutta step of it, in float64: written by MetaStruct, needs numpy alone.

vector_field(x{u}) and step(x, h{u}): x [points, state] -> [points, state]; inputs u [points, input] where there are any
"""

import base64

import numpy as np


def _array(shape, text, kind="float64"):
    return np.frombuffer(base64.b64decode(text), kind).reshape(shape)


def _expanded(x, shape):
    kept = (1,) * (len(shape) - np.ndim(x)) + np.shape(x)
    return np.broadcast_to(x, [old if new == -1 else new for old, new in zip(kept, shape)])

'''
STEP = """

def step(x, h{u}):
    x = np.asarray(x, float)
    first = vector_field(x{u})
    second = vector_field(x + h / 2 * first{u})
    third = vector_field(x + h / 2 * second{u})
    fourth = vector_field(x + h * third{u})
    return x + h / 6 * (first + 2 * second + 2 * third + fourth)
"""
UNARY = {"abs": "np.abs", "tanh": "np.tanh", "cos": "np.cos", "sin": "np.sin", "exp": "np.exp", "log": "np.log"}
UNARY |= {
    "log1p": "np.log1p",
    "expm1": "np.expm1",
    "sqrt": "np.sqrt",
    "neg": "-",
    "reciprocal": "1 / ",
    "sign": "np.sign",
}
UNARY |= {"clone": "", "alias": "", "rsqrt": "1 / np.sqrt", "square": "np.square", "logical_not": "~"}
BINARY = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**", "mm": "@", "bmm": "@", "ge": ">=", "gt": ">"}
BINARY |= {"le": "<=", "lt": "<", "eq": "==", "ne": "!=", "maximum": "max", "minimum": "min"}
REDUCTIONS = {"sum": "np.sum", "mean": "np.mean", "amax": "np.max", "amin": "np.min"}
PYTHON = {operator.mul: "{} * {}", operator.add: "{} + {}", operator.sub: "{} - {}", operator.floordiv: "{} // {}"}


def module_of(program: torch.export.ExportedProgram) -> str:
    """The source of a module with the vector field of a program in core operators, and a step of it.

    Raises:
        NotImplementedError: names an operator that has no counterpart here.
    """
    constants: dict[str, torch.Tensor] = {}
    function = Function("vector_field", program, constants)
    body, driving = function.source(), ", u" * ("u" in function.arguments)
    arrays = [f"{name} = {_stored(values)}" for name, values in constants.items()]
    return HEAD.format(u=driving) + "\n" + "\n".join(arrays) + "\n" + body + STEP.format(u=driving)


def _stored(values: torch.Tensor) -> str:
    array = values.detach().numpy()
    text = base64.b64encode(array.tobytes()).decode()
    return f"_array({tuple(array.shape)}, {text!r}, {str(array.dtype)!r})"


class Function:
    """One program as a function of numpy.

    Args:
        name: of the function.
        program: in core operators.
        constants: of the module, by name; those of this function are added.
    """

    def __init__(self, name: str, program: torch.export.ExportedProgram, constants: dict[str, torch.Tensor]):
        self.name, self.program, self.constants = name, program, constants
        signature = program.graph_signature
        self.arguments = list(signature.user_inputs)
        places = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        places |= signature.inputs_to_lifted_tensor_constants
        stored = {**program.state_dict, **program.constants}
        self.values: dict[str, Any] = {name: stored[place].detach() for name, place in places.items()}

    def source(self) -> str:
        """The definition."""
        lines = [f"\n\ndef {self.name}({', '.join(self.arguments)}):"]
        lines += [f"    {name} = np.asarray({name}, float)" for name in self.arguments]
        for node in self.program.graph.nodes:
            if node.op == "call_function" and not self._known(node):
                lines.append(f"    {node.name} = {self._expression(node)}")
            elif node.op == "output":
                lines.append(f"    return {self._text(node.args[0][0])}")
        return "\n".join(lines) + "\n"

    def _known(self, node: Node) -> bool:
        """Does it depend on no argument? Then it is computed now."""
        if any(one.name not in self.values for one in node.all_input_nodes):
            return False

        def value(one: Node) -> Any:
            return self.values[one.name]

        arguments, options = torch.fx.map_arg((node.args, node.kwargs), value)
        self.values[node.name] = node.target(*arguments, **options)  # type: ignore[operator]
        return True

    def _text(self, value: Any) -> str:
        """An argument of an operation as it stands in the source."""
        if isinstance(value, Node):
            known = self.values.get(value.name)
            if known is None:
                return value.name
            if not isinstance(known, torch.Tensor):
                return repr(known)
            if known.dim() == 0:
                return repr(known.item())
            name = f"{self.name}_{value.name}".upper()
            same = (kept for kept, values in self.constants.items() if _same(values, known))
            name = next(same, name)
            self.constants.setdefault(name, known.contiguous())
            return name
        if isinstance(value, list | tuple):
            return f"[{', '.join(map(self._text, value))}]"
        if isinstance(value, float) and not math.isfinite(value):
            return f'float("{value}")'
        return repr(value)

    def _expression(self, node: Node) -> str:
        target: Any = node.target
        text = [self._text(argument) for argument in node.args]
        if target in PYTHON:
            return PYTHON[target].format(*text)
        if target is operator.getitem:
            return f"{text[0]}[{text[1]}]"
        name = str(target).removeprefix("aten.").partition(".")[0]
        options = {key: self._text(value) for key, value in node.kwargs.items()}
        if name in UNARY:
            return f"{UNARY[name]}({text[0]})"
        if name in BINARY:
            sign = BINARY[name]
            if sign in ("max", "min"):
                return f"np.{sign}imum({', '.join(text[:2])})"
            second = f"{options['alpha']} * {text[1]}" if "alpha" in options else text[1]
            return f"{text[0]} {sign} {second}" if name != "pow" else f"({text[0]}) ** {text[1]}"
        if name in REDUCTIONS:
            axes = f"tuple({text[1]})" if len(text) > 1 else "None"
            keep = text[2] if len(text) > 2 else "False"
            return f"{REDUCTIONS[name]}({text[0]}, axis={axes}, keepdims={keep})"
        if name in SPECIAL:
            return SPECIAL[name](*text)
        raise NotImplementedError(f"the operator {target} has no counterpart in numpy yet; export to .onnx or .pt2")


def _slice(x: str, axis: str = "0", start: str = "None", stop: str = "None", step: str = "1") -> str:
    return f"np.moveaxis(np.moveaxis({x}, {axis}, 0)[{start}:{stop}:{step}], 0, {axis})"


SPECIAL: dict[str, Callable[..., str]] = {
    "sigmoid": lambda x: f"0.5 * (1 + np.tanh(0.5 * {x}))",
    "view": lambda x, shape: f"np.reshape({x}, {shape})",
    "_unsafe_view": lambda x, shape: f"np.reshape({x}, {shape})",
    "expand": lambda x, shape: f"_expanded({x}, {shape})",
    "permute": lambda x, axes: f"np.transpose({x}, {axes})",
    "unsqueeze": lambda x, axis: f"np.expand_dims({x}, {axis})",
    "squeeze": lambda x, axes: f"np.squeeze({x}, axis=tuple(np.atleast_1d({axes})))",
    "select": lambda x, axis, index: f"np.take({x}, {index}, axis={axis})",
    "slice": _slice,
    "cat": lambda parts, axis="0": f"np.concatenate({parts}, axis={axis})",
    "where": lambda test, x, y: f"np.where({test}, {x}, {y})",
    "full": lambda shape, value: f"np.full({shape}, {value})",
    "index_select": lambda x, axis, index: f"np.take({x}, {index}, axis={axis})",
    "split_with_sizes": lambda x, sizes, axis="0": f"np.split({x}, np.cumsum({sizes})[:-1], axis={axis})",
    "sym_size": lambda x, axis: f"np.shape({x})[{axis}]",
    "addmm": lambda c, a, b: f"{c} + {a} @ {b}",
    "clamp": lambda x, low="None", high="None": f"np.clip({x}, {low}, {high})",
}


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.dtype == other.dtype and one.shape == other.shape and torch.equal(one, other)
