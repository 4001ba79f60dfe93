"""A step as a straight line of operations on tensors, recorded once and replayed.

Modules, updates and automatic differentiation say which operations a step consists of. They say the same at every
step, and where nets are small saying it takes as long as doing it. So the operations are written down, those of the
derivatives among them, made fewer (`passes`), and later calls go through the list in C++: the same results up to
round-off.

What a recorded function reads of modules (parameters, buffers) it reads where it lies: steps in place are seen, a
tensor put into the place of another is not. Nothing may depend on values, and no operation may wait for one.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from metastruct.recording.passes import lean

Values = tuple[Tensor, ...]
PATIENCE = 200  # calls before a recording, which takes as long as some hundred calls save
LONG = 50_000  # calls that pay for a compilation: 10 to 20 s for the main job, which save 0.4 ms each
ON_CPU = {  # of torch.compile: a small step is a hundred calls
    "cpp_wrapper": True,  # made from C++
    "size_asserts": False,
    "pattern_matcher": False,  # which would join products and sums again, and copy
}


class Recorded:
    """A function from tensors to tensors without a graph of derivatives, one recording for each shape of them.

    Args:
        function: of tensors alone.
        expected: calls that are sure to come: where they pay for a recording, the first one makes it.
    """

    def __init__(self, function: Callable[..., Values], expected: int = 0):
        self.function = function
        self.calls: float = 0
        self.compiled = False
        if expected:
            self.expect(expected)
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

    def expect(self, calls: int) -> None:
        """So many in all: recorded from the first one on, or never, so that a resumed training has its digits."""
        if not self.compiled:
            self.calls = PATIENCE if calls > PATIENCE else -math.inf

    def compile(self) -> None:
        """From the first call on, too."""
        self.calls, self.compiled = PATIENCE, True
        self.forget()

    def forget(self) -> None:
        """Record again at the next call."""
        self.programs.clear()


def recorded(function: Callable[..., Values], tensors: Values, compiled: bool = False) -> Callable[..., Values]:
    """The operations of a function on arguments of these shapes, ready to be called; compiled, equal to round-off."""
    line = make_fx(partial(function))(*tensors)  # partial: make_fx would count the self of a method
    line = lean(line, tensors, compiled)
    if compiled:
        options = ON_CPU if tensors[0].device.type == "cpu" else {}
        with torch.no_grad():  # past dynamo, which would look at every parameter again at every call
            program: Callable[..., Values] = torch._inductor.compile(line, [*tensors], options=options)
        return program
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)  # what it has become in torch 2.14
        program = torch.jit.trace(line, tensors, check_trace=False)

    def replayed(*tensors: Tensor) -> Values:
        with torch._C._AutoDispatchBelowAutograd():  # which each operation would ask
            return program(*tensors)

    return replayed
