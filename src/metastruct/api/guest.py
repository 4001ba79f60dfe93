"""A library is a guest: what the caller set of torch stays as it is, and nothing of it gets in the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def undisturbed() -> Iterator[None]:
    """Leave torch's random numbers alone, and take derivatives also where a caller's inference mode forbids them."""
    with torch.inference_mode(False), torch.random.fork_rng(devices=[]):
        yield
