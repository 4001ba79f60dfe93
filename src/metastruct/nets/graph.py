"""Potential of many bodies as a sum of local terms, one small net a kind of term.

    H(q, p) = sum_i T(p_i, f_i) + sum_i U(q_i, f_i) + sum_(i, j) W(q_i - q_j, f_i + f_j, (f_i - f_j)^2)

What a term sees decides what is kept, whatever the weights and codes are: without U and without walls, W of
differences q_i - q_j keeps the total momentum; W of distances and T of |p_i|^2 keep the angular momentum as well.
The terms of a kind share their net, so that a code changes all of them, and a net of 8 bodies is one of 64. What tells
bodies apart are features f_i, numbers of each body that a code may change.

With a cut-off c the term of a pair is W (1 - |q_i - q_j|^2/c^2)^3 where that is positive, else nothing: smooth, and
edges come and go as bodies move.

Differences are products with the incidence matrix of the graph, and forces products with its transpose: exact in
derivatives of any order, replayed and exported as any other product.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from metastruct.nets.mlp import MLP
from metastruct.nets.net import Net
from metastruct.nets.numbers import Numbers
from metastruct.nets.product import by_task, to_rows
from metastruct.nets.site import Updates, under

Edge = tuple[int | None, int | None]  # the body that it ends at, and the one that it begins at; None is a wall at q = 0


def _chain(bodies: int) -> list[Edge]:
    return [(i + 1, i) for i in range(bodies - 1)]


EDGES: dict[str, Callable[[int], list[Edge]]] = {
    "walls": lambda bodies: [(0, None), *_chain(bodies), (None, bodies - 1)],
    "chain": _chain,
    "ring": lambda bodies: _chain(bodies) + ([(0, bodies - 1)] if bodies > 2 else []),
    "complete": lambda bodies: [(j, i) for i in range(bodies) for j in range(i + 1, bodies)],
}


class Graph(Net):
    """T, U and W as MLPs of states (q, p), the coordinates of a body beside each other in both halves.

    Args:
        edges: "walls", a chain between two walls at the origin; "chain", with free ends; "ring"; "complete".
        dimension: coordinates of a body.
        sees: "difference": W of q_i - q_j and T of p_i; "distance": W of log(|q_i - q_j|^2 + core^2) and T of |p_i|^2.
        core: distance below which all look alike, in the unit of the net.
        place: is there a U?
        cutoff: distance from which pairs have no term, in the unit of the net; None: there is none. For "distance".
        features: numbers f_i of each body, as of `Numbers`. A net with some has its bodies.
        mlp: width, depth and activation of each net, as of `MLP`.

    Raises:
        ValueError: the state is not (q, p) of bodies of this dimension with an edge, or the net is not a potential.
    """

    incidence: Tensor  # [bodies * dimension, edges * dimension], of 1 and -1

    def __init__(
        self,
        in_features: int,
        out_features: int = 1,
        potential: bool = True,
        edges: str = "walls",
        dimension: int = 1,
        sees: str = "difference",
        core: float = 0.1,
        place: bool = True,
        cutoff: float | None = None,
        features: int = 0,
        **mlp: Any,
    ):
        super().__init__(in_features, out_features, potential)
        if in_features % (2 * dimension) or out_features != 1 or not potential:
            raise ValueError(
                f"net=graph is a scalar potential of a state (q, p) of bodies with net.dimension={dimension} "
                f"coordinates, got {in_features} inputs and {out_features} outputs; change it, or use another net"
            )
        self.bodies, self.dimension, self.core = in_features // (2 * dimension), dimension, core
        self.far, self.cutoff, self.features = sees == "distance", cutoff, features
        ends = EDGES[edges](self.bodies)
        if not ends:
            raise ValueError(f"net.edges={edges} needs two bodies at least, got {self.bodies}; use net.edges=walls")
        if features and edges == "walls":
            raise ValueError("net.features tell bodies apart, and a wall has none, got net.edges=walls; use chain")
        self.register_buffer("incidence", incidence(self.bodies, ends, dimension))
        sight = 1 if self.far else dimension
        parts: dict[str, Net] = {
            "kinetic": MLP(sight + features, 1, True, **mlp),
            "edge": MLP(sight + 2 * features, 1, True, **mlp),
        }
        if place:
            parts["place"] = MLP(dimension + features, 1, True, **mlp)
        if features:
            parts["features"] = Numbers(self.bodies * features)
        self.parts = nn.ModuleDict(parts)
        self.sites = [site.prefixed(f"parts.{name}") for name, part in parts.items() for site in part.sites]

    @classmethod
    def alike(cls, size: int, dimension: int = 1, sees: str = "difference", **settings: Any) -> list[list[int]]:
        """All positions and all momenta; axis by axis where no term mixes them."""
        half, step = size // 2, 1 if sees == "distance" else dimension
        return [[*range(start + axis, start + half, step)] for start in (0, half) for axis in range(step)]

    def _part(self, name: str, sight: Tensor, features: Tensor | None, updates: Updates, slope: bool) -> Tensor:
        """The terms of a kind `[..., tasks, points, terms, 1]`, or their slopes by what they see of the state.

        Args:
            sight: by each term, `[..., tasks, points, terms, numbers]`.
            features: of each term, `[..., tasks or 1, 1, terms, numbers]`.
        """
        part, (terms, numbers) = self.parts[name], sight.shape[-2:]
        assert isinstance(part, Net)
        if features is not None:
            sight = torch.cat([sight, features.expand(*sight.shape[:-1], -1)], dim=-1)
        inside = sight.flatten(-3, -2), under(updates, f"parts.{name}")
        values = part.gradient(*inside)[..., :numbers] if slope else part(*inside)
        return values.unflatten(-2, (-1, terms))

    def _features(self, x: Tensor, updates: Updates) -> tuple[Tensor | None, Tensor | None]:
        """Of bodies and of edges, `[..., tasks or 1, 1, terms, numbers]`."""
        if not self.features:
            return None, None
        of_bodies = self.parts["features"](x, under(updates, "parts.features")).unflatten(-1, (self.bodies, -1))
        between = self.incidence[..., None, None, :: self.dimension, :: self.dimension].mT
        of_edges = torch.cat([between.abs() @ of_bodies, (between @ of_bodies).square()], dim=-1)
        return of_bodies, of_edges

    def _seen(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Positions and momenta of bodies, and differences of edges, `[..., tasks, points, terms, dimension]`."""
        q, p = x.chunk(2, dim=-1)
        differences = by_task(to_rows(q) @ self.incidence, x.shape[-3])
        return tuple(each.unflatten(-1, (-1, self.dimension)) for each in (q, p, differences))  # type: ignore[return-value]

    def _edges(self, differences: Tensor, features: Tensor | None, updates: Updates, slope: bool) -> Tensor:
        """The terms of edges `[..., 1]`, or their slopes by the differences `[..., dimension]`."""
        if not self.far:
            return self._part("edge", differences, features, updates, slope)
        squares = differences.square().sum(-1, keepdim=True)
        softened = squares + self.core**2

        def terms(slope: bool) -> Tensor:
            return self._part("edge", softened.log(), features, updates, slope)

        if self.cutoff is None:
            return 2 * differences / softened * terms(True) if slope else terms(False)
        near = (1 - squares / self.cutoff**2).clamp(min=0)
        if not slope:
            return terms(False) * near**3
        by_square = terms(True) / softened * near**3 - terms(False) * 3 * near**2 / self.cutoff**2
        return 2 * differences * by_square

    def forward(self, x: Tensor, updates: Updates) -> Tensor:
        q, p, differences = self._seen(x)
        of_bodies, of_edges = self._features(x, updates)
        sight = p.square().sum(-1, keepdim=True) if self.far else p
        value = self._part("kinetic", sight, of_bodies, updates, False).sum(-2)
        value = value + self._edges(differences, of_edges, updates, False).sum(-2)
        return value + self._part("place", q, of_bodies, updates, False).sum(-2) if "place" in self.parts else value

    def gradient(self, x: Tensor, updates: Updates) -> Tensor:
        q, p, differences = self._seen(x)
        of_bodies, of_edges = self._features(x, updates)
        if self.far:
            by_p = 2 * p * self._part("kinetic", p.square().sum(-1, keepdim=True), of_bodies, updates, True)
        else:
            by_p = self._part("kinetic", p, of_bodies, updates, True)
        by_edge = self._edges(differences, of_edges, updates, True)
        by_q = by_task(to_rows(by_edge.flatten(-2)) @ self.incidence.mT, x.shape[-3])
        if "place" in self.parts:
            by_q = by_q + self._part("place", q, of_bodies, updates, True).flatten(-2)
        return torch.cat([by_q, by_p.flatten(-2)], dim=-1)


def incidence(bodies: int, edges: list[Edge], dimension: int) -> Tensor:
    """The matrix that makes differences of positions, `[bodies * dimension, edges * dimension]`."""
    matrix = torch.zeros(bodies, len(edges))
    for sign, side in ((1.0, 0), (-1.0, 1)):
        places = [(edge[side], number) for number, edge in enumerate(edges) if edge[side] is not None]
        body, number = torch.tensor(places).T
        matrix[body, number] = sign
    return torch.kron(matrix, torch.eye(dimension))
