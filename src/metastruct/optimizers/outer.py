"""Derivatives with respect to a matrix that enters products alone, as outer products.

A residual that sees W through y = W h has the derivative g h^T in W, with g that in y; through several products, the
sum of one for each. For few points that is far less than the numbers of W, and

    <sum_k l_k r_k^T, sum_m l'_m r'_m^T> = sum_km (l_k . l'_m) (r_k . r'_m)

multiplies vectors alone (Novak, Sohl-Dickstein and Schoenholz 2022, structured derivatives). Which products a matrix
enters the graph of derivatives tells, whatever net and modulation there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node, get_gradient_edge

FACTORS = {  # by the node of a batched product: which of its operands are factors, and what the other one is kept as
    "BmmBackward0": {0: "_saved_mat2", 1: "_saved_self"},
    "BaddbmmBackward0": {1: "_saved_batch2", 2: "_saved_batch1"},
}
TURN = "TransposeBackward0"
LAST = {1, 2}, {2**64 - 1, 2**64 - 2}  # dimensions of matrices, counted from the left and from the right
VIEWS = "ExpandBackward0", "ReshapeAliasBackward0", "ViewBackward0", "UnsafeViewBackward0"


@dataclass(frozen=True)
class Outer:
    """Derivatives sum_k l_k r_k^T of residuals in a matrix `[out, in]`, a row for each residual.

    Args:
        left: l `[summands, rows, out]`.
        right: r `[summands, rows, in]`.
    """

    left: Tensor
    right: Tensor

    def product(self, other: Outer) -> Tensor:
        """Those of all rows with all rows of the other, `[rows, rows of the other]`."""
        total = self.left.new_zeros(self.left.shape[1], other.left.shape[1])
        for left, right in zip(self.left, self.right, strict=True):
            for other_left, other_right in zip(other.left, other.right, strict=True):
                total.addcmul_(left @ other_left.mT, right @ other_right.mT)
        return total

    def along(self, change: Tensor) -> Tensor:
        """Those of all rows with the numbers of a matrix `[out * in]`, `[rows]`."""
        moved = self.right @ change.view(self.left.shape[-1], -1).mT
        return (self.left * moved).sum((0, -1))

    def back(self, weights: Tensor) -> Tensor:
        """The sum of the rows `[out * in]` with weights `[rows]`."""
        weighted = self.left * weights[:, None]
        return (weighted.flatten(0, 1).mT @ self.right.flatten(0, 1)).flatten()


@dataclass(frozen=True)
class Use:
    """A product of matrices of each of some rows that a matrix W `[rows, out, in]` enters.

    Args:
        product: where its derivative is to be had.
        factor: the other factor.
        first: does W stand left of it?
        turned: is it W^T that enters?
    """

    product: GradientEdge
    factor: Tensor
    first: bool
    turned: bool

    @property
    def _axis(self) -> int:
        """Of the factor and of the product, along which the summands are."""
        return -1 if self.first else -2

    @property
    def summands(self) -> int:
        """Outer products that each row has of it."""
        return self.factor.shape[self._axis]

    def sides(self, slope: Tensor) -> tuple[Tensor, Tensor]:
        """l and r, as of `Outer`, from the derivative of the product."""
        slope, factor = (part.movedim(self._axis, 0) for part in (slope, self.factor))
        return (slope, factor) if self.first != self.turned else (factor, slope)


def derivatives(
    residual: Tensor, leaves: Mapping[str, Tensor], products: Mapping[str, Sequence[Use]], axes: int
) -> dict[str, Tensor | Outer]:
    """Of residuals `[..., rows]` by leaf, `[..., rows, numbers]`, or outer products where there are uses of it.

    Args:
        leaves: the numbers of each row, `[..., rows, ...]`.
        products: as of `uses`.
        axes: of the rows.
    """
    rest = [name for name in leaves if name not in products]
    places: Any = [leaves[name] for name in rest] + [use.product for each in products.values() for use in each]
    slopes = iter(torch.autograd.grad(residual.sum(), places, retain_graph=True, allow_unused=True))
    rows: dict[str, Tensor | Outer] = {
        name: slope.flatten(axes) for name, slope in zip(rest, slopes, strict=False) if slope is not None
    }
    for name, each in products.items():
        sides = [use.sides(slope) for use, slope in zip(each, slopes, strict=False) if slope is not None]
        if sides:
            left, right = map(torch.cat, zip(*sides, strict=True))
            rows[name] = Outer(left, right)
    return rows


def uses(values: Tensor, matrices: Mapping[str, Tensor]) -> dict[str, list[Use]]:
    """All uses of the matrices in what `values` were made of, by name.

    A matrix that enters anything else is left out, and one whose uses are too many to save anything.

    Args:
        matrices: leaves of the graph, `[rows, out, in]`.
    """
    names = {get_gradient_edge(matrix).node: name for name, matrix in matrices.items()}
    products: dict[str, list[Use]] = {name: [] for name in matrices}
    strangers: set[str] = set()
    for node in _nodes(values):
        for place, (operand, _) in enumerate(() if _is_look(node) else node.next_functions):
            looks, leaf = _through(operand)
            if leaf in names:
                use = _use(node, place, looks, matrices[names[leaf]])
                if use is None:
                    strangers.add(names[leaf])
                else:
                    products[names[leaf]].append(use)
    return {name: each for name, each in products.items() if name not in strangers and _pays(each, matrices[name])}


def _pays(products: Sequence[Use], matrix: Tensor) -> bool:
    """Are the pairs of outer products less work than those of the matrices?"""
    summands, (_, out, inputs) = sum(use.summands for use in products), matrix.shape
    return 2 * summands**2 * (out + inputs) <= out * inputs


def _nodes(values: Tensor) -> Iterator[Node]:
    """All nodes of a graph."""
    waiting: list[Node | None] = [values.grad_fn]
    visits: set[Node | None] = {None}
    while waiting:
        node = waiting.pop()
        if node is not None and node not in visits:
            visits.add(node)
            waiting += [operand for operand, _ in node.next_functions]
            yield node


def _is_look(node: Node | None) -> bool:
    """Is it made of one tensor, whose numbers it shows in another form?"""
    return node is not None and node.name() in (TURN, *VIEWS)


def _through(node: Node | None) -> tuple[list[Node], Node | None]:
    """The looks from an operand down to what it shows, and that."""
    looks: list[Node] = []
    while node is not None and _is_look(node):
        looks.append(node)
        node = node.next_functions[0][0]
    return looks, node


def _use(node: Any, place: int, looks: Sequence[Any], matrix: Tensor) -> Use | None:
    """What a node is to a matrix that it sees through looks, the last one first; None: no product, or of other rows."""
    places = FACTORS.get(node.name(), {})
    if place not in places or getattr(node, "_saved_alpha", 1) != 1:
        return None
    (rows, out, inputs), turned = matrix.shape, False
    for look in reversed(looks):
        if look.name() == TURN:
            if {look._saved_dim0 % 2**64, look._saved_dim1 % 2**64} not in LAST:
                return None
            turned = not turned
        elif look._saved_self_sym_sizes != ((rows, inputs, out) if turned else (rows, out, inputs)):
            return None
    first, factor = place == min(places), getattr(node, places[place])
    if len(factor) != rows or factor.shape[-2 if first else -1] != (out if first == turned else inputs):
        return None
    return Use(GradientEdge(node, 0), factor.detach(), first, turned)
