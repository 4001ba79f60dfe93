"""A Ray cluster, or Ray on this machine: every run is a task that asks for its share of cores and GPUs."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from metastruct.config.schema import ConfigError
from metastruct.sweeps.launchers.gpu_pool import GpuPool
from metastruct.sweeps.launchers.launcher import Job, Launcher, Outcome, Report, Unit, at_least


class Ray(Launcher):
    """Runs of a unit one after another, units as Ray has room for them.

    The nodes must share the folder from which it is called.

    Args:
        address: of a cluster that runs, such as "auto" or "ray://head:10001"; null: start Ray on this machine.
        cpus_per_run: cores that a run asks for.
        gpus_per_run: GPUs that a run asks for; 0.25: four runs share one.
    """

    def __init__(self, address: str | None = None, cpus_per_run: float = 1, gpus_per_run: float = 0):
        at_least(0, whole=False, cpus_per_run=cpus_per_run, gpus_per_run=gpus_per_run)
        self.address, self.cpus, self.gpus = address, cpus_per_run, gpus_per_run
        self.slots = max(1, int((os.cpu_count() or 1) / max(cpus_per_run, 1e-3)))  # of this machine

    def launch(self, units: Sequence[Unit], report: Report) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError:
            raise ConfigError('launcher=ray needs ray; pip install -e ".[ray]" -c constraints.txt') from None
        try:
            ray.init(self.address, ignore_reinit_error=True, include_dashboard=False, log_to_driver=False)
        except ConnectionError as error:
            raise ConfigError(f"address={self.address} must be a Ray cluster that runs; {error}") from None
        task: Any = ray.remote(num_cpus=self.cpus, num_gpus=self.gpus, max_retries=0)(run)
        running: dict[Any, list[Job]] = {}
        # Ray alone would die of the signal on the spot, and leave agents behind.
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)

        def start(unit: Sequence[Job]) -> None:
            running[task.remote(unit[0], Path.cwd(), self.gpus > 0)] = list(unit)

        try:
            for unit in units:
                start(unit)
            while running:
                (ready,), _ = ray.wait(list(running), num_returns=1)
                job, *rest = running.pop(ready)
                try:
                    report(ray.get(ready))
                except ray.exceptions.RayError as error:
                    report(Outcome(job, f"{type(error).__name__}: {' '.join(str(error).split())}", 0.0))
                if rest:
                    start(rest)
        finally:
            for unfinished in running:
                ray.cancel(unfinished, force=True)  # its process ends with it; an interrupt would wait for its end
            if running:
                ray.wait(list(running), num_returns=len(running), timeout=30)
            ray.shutdown()
            signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def run(job: Job, here: Path, on_gpu: bool) -> Outcome:
    """A task of Ray: the run in a process of its own, so that a crash takes no worker with it."""
    os.chdir(here)
    outcomes: list[Outcome] = []
    GpuPool(None if on_gpu else 0, slots_per_gpu=1, slots=1).launch([[job]], outcomes.append)
    return outcomes[0]
