"""A SLURM cluster through submitit: an array whose elements take runs that share a training, requeued after a timeout.

Results are looked for on disk, so the folder of the runs must be shared by the nodes. A job writes its number into
its run folder (queued.txt), and is not submitted again while it is queued.
"""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from metastruct.config.facts import options
from metastruct.config.schema import ConfigError
from metastruct.runs.files import clear, locked, write_atomically
from metastruct.runs.folder import RunFolder
from metastruct.sweeps.launchers import slurm_queue
from metastruct.sweeps.launchers.gpu_pool import GpuPool
from metastruct.sweeps.launchers.launcher import Job, Launcher, Outcome, Report, Unit, at_least

Item = TypeVar("Item")

LONGEST_ARRAY = 1000  # elements; SLURM's MaxArraySize is 1001 unless an administrator says otherwise


class Slurm(Launcher):
    """Submits the jobs and, with `wait`, follows them until they end.

    An interrupt from the keyboard leaves them in the queue: the same command follows them again.

    Args:
        partition: of the cluster; null: its default.
        gpus_per_node: GPUs of an element of the array.
        cpus_per_task: cores of an element.
        mem_gb: memory of an element; null: the cluster's default.
        timeout_min: minutes until an element is stopped, and requeued to go on from its last checkpoint,
        max_num_timeout: so many times at most.
        array_parallelism: elements that run at a time.
        slots_per_gpu: runs at a time on one GPU; without a GPU, there is one a core.
        units_per_element: trainings, each with all its runs, in one element; null: as many as run at a time.
        wait: false: submit and return.
        folder: for submitit's scripts and logs; shared by the nodes.
        extra: further parameters of submitit, such as {slurm_account: me, slurm_qos: low, slurm_gres: "gpu:a100:1"}.
    """

    def __init__(
        self,
        partition: str | None = None,
        gpus_per_node: int = 0,
        cpus_per_task: int = 1,
        mem_gb: float | None = None,
        timeout_min: int = 60,
        max_num_timeout: int = 20,
        array_parallelism: int = 64,
        slots_per_gpu: int = 4,
        units_per_element: int | None = None,
        wait: bool = True,
        folder: str = "outputs/slurm",
        extra: Mapping[str, Any] | None = None,
    ):
        one_line(partition=partition, folder=folder, extra=extra)
        at_least(0, gpus_per_node=gpus_per_node, max_num_timeout=max_num_timeout)
        at_least(0, whole=False, mem_gb=mem_gb)
        at_least(1, cpus_per_task=cpus_per_task, timeout_min=timeout_min, array_parallelism=array_parallelism)
        at_least(1, slots_per_gpu=slots_per_gpu, units_per_element=units_per_element)
        self.element = Element(gpus_per_node, slots_per_gpu, cpus_per_task)
        self.units_per_element = units_per_element or self.element.slots
        self.slots = array_parallelism * min(self.element.slots, self.units_per_element)
        self.wait, self.folder, self.max_num_timeout = wait, Path(folder), max_num_timeout
        settings = {
            "name": "metastruct",
            "timeout_min": timeout_min,
            "cpus_per_task": cpus_per_task,
            "gpus_per_node": gpus_per_node or None,
            "mem_gb": mem_gb,
            "slurm_partition": partition,
            "slurm_array_parallelism": array_parallelism,
            "slurm_signal_delay_s": 30,  # a checkpoint is never older than a few seconds
        }
        self.settings = {name: value for name, value in settings.items() if value is not None} | dict(extra or {})

    def launch(self, units: Sequence[Unit], report: Report) -> None:
        if shutil.which("sbatch") is None:
            instead = " or ".join(name for name in options("launcher") if name != "slurm")
            raise ConfigError(f"launcher=slurm needs sbatch, which this machine has not; use launcher={instead}")
        with locked(self.folder, lambda: print("waiting for another command that submits", flush=True)):
            left = self.queued(units)
            already = len(left)
            left |= self.submitted([[job for job in unit if job not in left] for unit in units])
        arrays = ",".join(sorted({number.partition("_")[0] for number in left.values()}, key=int))
        print(f"slurm: {len(left) - already} runs submitted, {already} were queued; scancel {arrays} would remove them",
              flush=True)  # fmt: skip
        if self.wait:
            slurm_queue.follow(left, report, self.folder)
        else:
            print("slurm: the same command without wait=false follows them", flush=True)

    def queued(self, units: Sequence[Unit]) -> dict[Job, str]:
        """The jobs that are in the queue already, with their numbers."""
        active = slurm_queue.queue()
        for _ in range(slurm_queue.PATIENCE):
            if active is not None:
                break
            time.sleep(1.0)
            active = slurm_queue.queue()
        if active is None:
            raise ConfigError("squeue must say what is queued already, and does not answer; try again in a while")
        numbers = {job: slurm_queue.number_of(job) for unit in units for job in unit}
        return {job: number for job, number in numbers.items() if number in active}

    def submitted(self, units: Sequence[Sequence[Job]]) -> dict[Job, str]:
        """Submit these; returns their numbers in the queue."""
        try:
            from submitit import AutoExecutor
            from submitit.core.utils import FailedJobError
        except ImportError:
            raise ConfigError('launcher=slurm needs submitit; pip install -e ".[slurm]" -c constraints.txt') from None
        fresh = [[begun_anew(job) for job in unit] for unit in units if unit]
        elements = list(batches(fresh, self.units_per_element))
        numbers: dict[Job, str] = {}
        try:
            executor = AutoExecutor(self.folder / "%j", cluster="slurm", slurm_max_num_timeout=self.max_num_timeout)
            executor.update_parameters(**self.settings)
            for array in batches(elements, LONGEST_ARRAY):
                for element, handle in zip(array, executor.map_array(self.element, array), strict=True):
                    numbers |= {job: handle.job_id for unit in element for job in unit}
        except (FailedJobError, NameError, ValueError, TypeError) as error:
            raise ConfigError(f"the cluster took no job: {' '.join(str(error).split())}") from None
        finally:
            for job, number in numbers.items():
                write_atomically(slurm_queue.ticket(job), number + "\n")
        return numbers


def one_line(**settings: Any) -> None:
    """Refuse what would end a line of a batch script and begin another, at any depth of these settings.

    Raises:
        ValueError: names the setting.
    """
    for name, value in settings.items():
        if isinstance(value, Mapping):
            one_line(**{f"{name}, {number}": key for number, key in enumerate(value)})
            one_line(**{f"{name}.{str(key)!r}": inner for key, inner in value.items()})
        elif isinstance(value, list | tuple):
            one_line(**{f"{name}[{number}]": inner for number, inner in enumerate(value)})
        elif isinstance(value, str) and not value.isprintable():
            raise ValueError(f"{name} must be one line of printable letters, got {value!r}")


class Element:
    """What an element of the array runs: a pool of processes on its node. `checkpoint` makes submitit requeue it."""

    def __init__(self, gpus: int, slots_per_gpu: int, cores: int):
        self.gpus, self.slots_per_gpu, self.cores = gpus, slots_per_gpu, cores
        self.slots = gpus * slots_per_gpu or cores

    def __call__(self, units: Sequence[Unit]) -> None:
        signal.signal(signal.SIGCONT, signal.SIG_DFL)  # submitit logs it, and logging eats what the next signal raises
        pool = GpuPool(None if self.gpus else 0, self.slots_per_gpu, self.cores)
        print(f"{len(units)} units, {pool.slots} slots, GPUs: {' '.join(pool.gpus) or 'none'}", flush=True)
        left = [[job for job in unit if not job.error.exists()] for unit in units]  # failed before a timeout
        pool.launch([unit for unit in left if unit], say)

    def checkpoint(self, units: Sequence[Unit]) -> Any:
        """What is submitted again after the time limit."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, units)


def say(outcome: Outcome) -> None:
    """Print how a job ended."""
    how = "left to another command" if outcome.elsewhere else outcome.error or "finished"
    print(f"{outcome.job.folder.name}: {how}, {outcome.seconds:.0f} s", flush=True)


def begun_anew(job: Job) -> Job:
    """The job without what is left of earlier times: errors and, if it is forced, results and training.

    So it is forced once, and not after every timeout again.
    """
    job.forget_errors()
    kept = tuple(word for word in job.overrides if word.lower() != "force=true")
    if kept != job.overrides:
        if job.held:
            raise ConfigError(f"{job.folder} is in the hands of another command; wait for it, or leave force=true out")
        for folder in job.folders:
            with locked(folder, lambda: None):
                RunFolder(folder).metrics.unlink(missing_ok=True)
        if job.training is not None:
            with locked(job.training, lambda: None):
                clear(job.training)
    return replace(job, overrides=kept)


def batches(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of this size."""
    for first in range(0, len(items), size):
        yield list(items[first : first + size])
