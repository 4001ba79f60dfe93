"""What is taken out of a recorded line of operations, and what is done in another way.

    turned     a product of many numbers a row, with a narrow result, is made as its transpose
    once       the same operation on the same tensors is done once, and the same look at the same memory too
    settled    what depends on no number that changes is there from the beginning: constants, looks at parameters
    gathered   a product that is added to something gathers there
    in_place   a result takes the memory of an operand that nobody reads afterwards
    parted     for a compiler: a product that gathers, and a sum, which it joins to what comes after

`turned`, `gathered` and `parted` change round-off, the others no bit. Memory that the line itself writes into is left
alone, and random numbers are drawn anew. Which nodes share memory is read off the tensors of one execution, kept in
`meta` for as long as it takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.fx import GraphModule, Interpreter, Node

aten = torch.ops.aten
LIKE = {  # made of the form of their argument alone
    *(aten.ones_like.default, aten.zeros_like.default, aten.full_like.default),
    *(aten.new_ones.default, aten.new_zeros.default, aten.new_full.default),
}
POINTWISE = ("add.Tensor", "sub.Tensor", "mul.Tensor", "div.Tensor", "lerp.Scalar", "lerp.Tensor", "addcmul.default")
COMMUTING = {aten.add.Tensor, aten.mul.Tensor}
PLUS = {aten.mm.default: aten.addmm_.default, aten.bmm.default: aten.baddbmm_.default}
NARROW = 24  # columns of a result up to which the BLAS at hand takes up to three times as long as for its transpose


def _overload(name: str, ending: str = "") -> OpOverload:
    packet, _, overload = name.partition(".")
    operation: OpOverload = getattr(getattr(aten, packet + ending), overload)
    return operation


IN_PLACE = {_overload(name): _overload(name, "_") for name in POINTWISE}


def lean(line: GraphModule, tensors: Sequence[Tensor], compiled: bool = False) -> GraphModule:
    """The same numbers up to round-off, by fewer operations and in less memory; a compiler sees to memory itself."""
    for simplify in (parted, turned, once, settled) if compiled else (turned, once, settled, gathered, in_place):
        with torch.no_grad():
            _Executed(line).run(*tensors)
        simplify(line)
        line.graph.eliminate_dead_code()
    for node in line.graph.nodes:
        node.meta.clear()
    line.recompile()
    return line


class _Executed(Interpreter):
    """Keeps the results of all nodes, each in memory that no other has."""

    def __init__(self, line: GraphModule):
        super().__init__(line, garbage_collect_values=False)

    def run_node(self, n: Node) -> Any:
        n.meta["val"] = super().run_node(n)
        return n.meta["val"]


def _memories(node: Node) -> list[int]:
    """Where the numbers of each tensor of a node lie."""
    value = node.meta["val"]
    parts = value if isinstance(value, tuple | list) else [value]
    return [part.untyped_storage()._cdata for part in parts if isinstance(part, Tensor)]


def _memory(*nodes: Node) -> set[int]:
    return {memory for node in nodes for memory in _memories(node)}


def _looks(node: Node) -> bool:
    """Does it see the memory of its arguments in another form, and nothing else?"""
    return bool(_memory(node)) and _memory(node) <= _memory(*node.all_input_nodes) and not _writes(node)


def _writes(node: Node) -> bool:
    return isinstance(node.target, OpOverload) and node.target._schema.is_mutable


def _draws(node: Node) -> bool:
    """Does it draw random numbers?"""
    return isinstance(node.target, OpOverload) and torch.Tag.nondeterministic_seeded in node.target.tags


def _written(line: GraphModule) -> set[int]:
    return _memory(*(other for node in line.graph.nodes if _writes(node) for other in node.all_input_nodes))


def _form(tensor: Tensor) -> tuple[Any, ...]:
    return tensor.dtype, tensor.shape, tensor.stride()


def turned(line: GraphModule) -> None:
    """A B with few columns as (B^T A^T)^T, in memory as it was.

    Activations times a thin matrix are such a product, and so is the gradient of one.
    """
    for node in [*line.graph.nodes]:
        if node.target not in PLUS:
            continue
        left, right = (factor.meta["val"] for factor in node.args)
        rows, columns = left.shape[-2], right.shape[-1]
        if 1 < columns <= min(NARROW, rows - 1, left.shape[-1] // 4):
            with line.graph.inserting_before(node):
                factors = [line.graph.call_function(aten.transpose.int, (each, -2, -1)) for each in reversed(node.args)]
                product = line.graph.call_function(node.target, tuple(factors))
                result = line.graph.call_function(aten.transpose.int, (product, -2, -1))
                kept = line.graph.call_function(
                    aten.clone.default, (result,), {"memory_format": torch.contiguous_format}
                )
            node.replace_all_uses_with(kept)


def once(line: GraphModule) -> None:
    """The first of equal nodes stands for the others."""
    written = _written(line)
    same_memory: dict[int, int] = {}
    first: dict[Any, Node] = {}
    for node in [*line.graph.nodes]:
        value, same = node.meta["val"], node
        if node.op == "output" or _writes(node) or _draws(node):
            continue
        if isinstance(value, Tensor):
            memory = value.untyped_storage()._cdata
            same = first.setdefault((same_memory.get(memory, memory), value.storage_offset(), *_form(value)), node)
        unwritten = written.isdisjoint(_memory(node, *node.all_input_nodes))
        if same is node and node.op == "call_function" and unwritten and not _looks(node):
            same = first.setdefault((node.target, str(node.args), str(node.kwargs)), node)
        if same is not node:
            pairs = zip(_memories(node), _memories(same), strict=True)
            same_memory |= {memory: same_memory.get(other, other) for memory, other in pairs}
            node.replace_all_uses_with(same)
            line.graph.erase_node(node)


def settled(line: GraphModule) -> None:
    """Constants, and looks at parameters and buffers, as attributes."""
    written = _written(line)
    constant: set[Node] = set()
    ready: set[Node] = set()
    for node in line.graph.nodes:
        if node.op == "get_attr":
            ready.add(node)
        elif node.op == "call_function" and not _draws(node) and written.isdisjoint(_memory(node)):
            if node.target in LIKE or constant.issuperset(node.all_input_nodes):
                constant.add(node)
            elif not (_looks(node) and ready.issuperset(node.all_input_nodes)):
                continue
            ready.add(node)
    for number, node in enumerate([*line.graph.nodes]):
        if node in ready and node.op != "get_attr" and not ready.issuperset(node.users):
            if not isinstance(node.meta["val"], Tensor):
                continue
            name = f"settled{number}"
            line.register_buffer(name, node.meta["val"].detach())
            with line.graph.inserting_before(node):
                attribute = line.graph.get_attr(name)
            node.replace_all_uses_with(attribute)


class _Memory:
    """Whose memory may be taken, at each place of a line."""

    def __init__(self, line: GraphModule):
        self.nodes = [*line.graph.nodes]
        self.last = {m: place for place, node in enumerate(self.nodes) for m in _memory(*node.all_input_nodes)}
        self.foreign = _memory(*(node for node in self.nodes if node.op in ("placeholder", "get_attr")))

    def free(self, operand: Any, place: int) -> bool:
        """Is an operand the line's own, of the form of the result, and read by none but this one, and once?"""
        node = self.nodes[place]
        if not isinstance(operand, Node) or _form(operand.meta["val"]) != _form(node.meta["val"]):
            return False
        memory = operand.meta["val"].untyped_storage()._cdata
        elsewhere = _memory(*(other for other in node.all_input_nodes if other is not operand))
        return memory not in self.foreign | elsewhere and self.last[memory] == place


def gathered(line: GraphModule) -> None:
    """A + B C as a product that adds to A, where nobody reads A or B C afterwards.

    The product is made later than before, so nothing that it reads, nor itself, may be written into in the meantime.
    """
    memory, written = _Memory(line), _written(line)
    for place, node in enumerate(memory.nodes):
        if node.target is not aten.add.Tensor or node.kwargs:
            continue
        for total, product in (node.args, node.args[::-1]):
            if not isinstance(product, Node) or product.target not in PLUS or not memory.free(total, place):
                continue
            moved = _memory(product, *product.all_input_nodes)
            if memory.free(product, place) and moved.isdisjoint(written | _memory(total)):
                node.target, node.args = PLUS[product.target], (total, *product.args)
                written |= _memory(total)
                break


def in_place(line: GraphModule) -> None:
    """Pointwise results in the memory of an operand that nobody reads afterwards.

    A pass over a large tensor then moves two of them in the place of three, and memory is at hand in a cache.
    """
    memory = _Memory(line)
    for place, node in enumerate(memory.nodes):
        operation = IN_PLACE.get(node.target)
        if operation is None:
            continue
        arguments = [*node.args]
        if node.target in COMMUTING and not node.kwargs and not memory.free(arguments[0], place):
            arguments[:2] = reversed(arguments[:2])
        if memory.free(arguments[0], place):
            node.target, node.args = operation, tuple(arguments)


def parted(line: GraphModule) -> None:
    """A product that adds to the result of one as a product and a sum, for a compiler copies what is added to."""
    products = {gathering: product for product, gathering in PLUS.items()}
    for node in [*line.graph.nodes]:
        if node.target not in products or node.kwargs:
            continue
        total, *factors = node.args
        if total.target in PLUS and len(total.users) == 1:
            with line.graph.inserting_before(node):
                product = line.graph.call_function(products[node.target], tuple(factors))
                summed = line.graph.call_function(aten.add.Tensor, (total, product))
            node.replace_all_uses_with(summed)
            line.graph.erase_node(node)
