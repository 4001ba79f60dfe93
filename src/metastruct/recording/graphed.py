"""The launches of a recorded line as one, on a CUDA device.

A small step is some hundred kernels of a few microseconds, and to launch one takes as long as it runs. A CUDA graph
launches them together. It reads and writes the same memory each time, so arguments are copied in and results out.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Values = tuple[Tensor, ...]
WARM_UP = 3  # calls before a capture, in which libraries take their memory


def graphed(program: Callable[..., Values], tensors: Values) -> Callable[..., Values]:
    """A program on CUDA tensors of these shapes as one launch; as it is where something in it waits for the device."""
    given = [tensor.detach().clone() for tensor in tensors]
    present, aside = torch.cuda.current_stream(), torch.cuda.Stream()
    aside.wait_stream(present)
    with torch.cuda.stream(aside):
        for _ in range(WARM_UP):
            program(*given)
    present.wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            results = program(*given)
    except RuntimeError:  # an operation that looks at a value
        torch.cuda.synchronize()
        return program

    return _Graph(program, graph, given, results)


class _Graph:
    """A captured program, which is kept: the graph reads its constants where they lie."""

    def __init__(
        self, program: Callable[..., Values], graph: torch.cuda.CUDAGraph, given: list[Tensor], results: Values
    ):
        self.program, self.graph, self.given, self.results = program, graph, given, results

    def __call__(self, *tensors: Tensor) -> Values:
        torch._foreach_copy_(self.given, [*tensors])
        self.graph.replay()
        return tuple(result.clone() for result in self.results)
