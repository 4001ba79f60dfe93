"""One job after another on this machine, each in a process of its own."""

from __future__ import annotations

from metastruct.sweeps.launchers.gpu_pool import GpuPool, visible_gpus


class Sequential(GpuPool):
    """The pool with a single slot: the first GPU, or the cores."""

    def __init__(self) -> None:
        super().__init__(gpus=min(1, len(visible_gpus())), slots_per_gpu=1, slots=1)
