"""A step as a straight line of operations on tensors, recorded once and replayed.

Modules, updates and automatic differentiation say which operations a step consists of. They say the same at every
step, and where nets are small saying it takes as long as doing it. So the operations are written down, those of the
derivatives among them, those that do nothing or nothing new are taken out, and later calls go through the list in C++:
the same operations on the same numbers, hence the same results bit by bit.

What a recorded function reads of modules (parameters, buffers) it reads where it lies: steps in place are seen, a
tensor put into the place of another is not. Nothing may depend on values, and no operation may wait for one.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from operator import attrgetter, getitem
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.fx import GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx

Values = tuple[Tensor, ...]
aten = torch.ops.aten
FORMS = {aten.view.default, aten._unsafe_view.default, aten.expand.default, aten.detach.default}  # what may change none
PATIENCE = 200  # calls before a recording, which takes as long as some hundred calls save
LONG = 50_000  # calls that pay for a compilation: 10 to 20 s for the main job, which save 0.4 ms each


class Recorded:
    """A function from tensors to tensors without a graph of derivatives, one recording for each shape of them.

    Args:
        function: of tensors alone.
        expected: calls that are sure to come: where they pay for a recording, the first one makes it.
    """

    def __init__(self, function: Callable[..., Values], expected: int = 0):
        self.function = function
        self.calls = PATIENCE if expected > PATIENCE else 0
        self.compiled = False
        self.programs: dict[Any, Callable[..., Values]] = {}

    def __call__(self, *tensors: Tensor) -> Values:
        self.calls += 1
        if self.calls <= PATIENCE:
            return self.function(*tensors)
        form = (*(tensor.shape for tensor in tensors), tensors[0].device)
        program = self.programs.get(form)
        if program is None:
            program = self.programs[form] = recorded(self.function, tensors, self.compiled)
        with torch.no_grad(), torch.jit.optimized_execution(False):
            return program(*tensors)

    def __getstate__(self) -> dict[str, Any]:
        """A copy records for itself: it reads other tensors."""
        return vars(self) | {"programs": {}}

    def compile(self) -> None:
        """From the first call on, so that a training that is resumed has the digits of one that was not."""
        self.calls, self.compiled = PATIENCE, True
        self.forget()

    def forget(self) -> None:
        """Record again at the next call."""
        self.programs.clear()


def recorded(function: Callable[..., Values], tensors: Values, compiled: bool = False) -> Callable[..., Values]:
    """The operations of a function on arguments of these shapes, ready to be called; compiled, equal to round-off."""
    line = lean(make_fx(partial(function))(*tensors))  # partial: make_fx would count the self of a method
    if compiled:
        return torch.compile(line, fullgraph=True, dynamic=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        program: Callable[..., Values] = torch.jit.trace(line, tensors, check_trace=False)
    return program


def lean(line: GraphModule) -> GraphModule:
    """The same operations, each done once: none that gives its argument back, and none twice on the same tensors.

    Memory that an operation writes into is left alone, with all that looks at it; so are random numbers.
    """
    memory: dict[Node, Any] = {}  # where the numbers of a node lie: in those of another, or of a module
    for node in line.graph.nodes:
        memory[node] = memory[node.args[0]] if _looks(node) else node
        if node.op == "get_attr":
            memory[node] = id(attrgetter(str(node.target))(line))
    written = {memory[other] for node in line.graph.nodes if _writes(node) for other in node.all_input_nodes}
    first: dict[Any, Node] = {}
    for node in [*line.graph.nodes]:
        same = node
        if _idle(node):
            same = node.args[0]
        elif node.op == "get_attr":
            same = first.setdefault(memory[node], node)
        elif not _draws(node) and written.isdisjoint(memory[other] for other in (node, *node.all_input_nodes)):
            same = first.setdefault((node.op, node.target, str(node.args), str(node.kwargs)), node)
        if same is not node:
            node.replace_all_uses_with(same)
            line.graph.erase_node(node)
    line.graph.eliminate_dead_code()
    line.recompile()
    return line


def _looks(node: Node) -> bool:
    """Does it see the memory of its first argument in another form, or write into it?"""
    if not node.args or not isinstance(node.args[0], Node):
        return False
    if isinstance(node.target, OpOverload) and node.target not in FORMS:
        return any(argument.alias_info for argument in node.target._schema.arguments)
    return node.target in FORMS or node.target is getitem


def _writes(node: Node) -> bool:
    return isinstance(node.target, OpOverload) and node.target._schema.is_mutable


def _draws(node: Node) -> bool:
    """Does it draw random numbers?"""
    return isinstance(node.target, OpOverload) and torch.Tag.nondeterministic_seeded in node.target.tags


def _idle(node: Node) -> bool:
    """Does it give its first argument back, the same memory in the same form?"""
    if node.target not in FORMS or not _looks(node):
        return False
    result, argument = node.meta["val"], node.args[0].meta.get("val")  # type: ignore[union-attr]
    return isinstance(argument, Tensor) and (result.shape, result.stride()) == (argument.shape, argument.stride())
