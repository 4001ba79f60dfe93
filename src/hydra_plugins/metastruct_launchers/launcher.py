"""Every launcher of conf/launcher/ as one of Hydra: python train.py -m seed=0,1,2 hydra/launcher=gpu_pool

A run prints into log.txt of its folder; the terminal has a line when it ends. Runs that end in the same folder are
made once, and finished ones are recognised, as without a launcher.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from metastruct.config.facts import options
from metastruct.config.folders import yaml_of


class SweepLauncher(Launcher):
    """Hands the jobs of a multirun to a launcher of ours.

    Args:
        name: of its yaml in conf/launcher/.
        settings: those of the yaml, `hydra.launcher.slots=2` on the command line.
    """

    def __init__(self, name: str, **settings: Any):
        self.name, self.settings = name, settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Nothing of Hydra's is needed: a job is its words."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        from metastruct.running.assembly import component
        from metastruct.running.command_line import JobError, failed
        from metastruct.sweeps.command import say
        from metastruct.sweeps.plan import Plan, carry_out
        from metastruct.sweeps.table import Planned

        failures: list[str] = []
        runs: dict[int, list[Planned]] = {}
        for run in planned(job_overrides, initial_job_idx, say, failures):
            runs.setdefault(run.settings.replicas, []).append(run)
        launcher = component(OmegaConf.create({"_target_": target(self.name), "name": self.name, **self.settings}))
        for replicas, alike in runs.items():
            plan = Plan.of(alike)
            plan.finished -= {run.folder for run in alike if run.settings.force}
            for folder in plan.finished:
                say(f"finished before: {folder}; force=true repeats it")
            outcomes = carry_out(plan, launcher, retry=True, say=say, replicas=replicas)
            failures += [" ".join(outcome.job.overrides) for outcome in outcomes if outcome.error is not None]
        if failures:
            raise JobError(failed(failures))
        return [JobReturn(overrides=words, status=JobStatus.COMPLETED) for words in job_overrides]


def planned(job_overrides: Sequence[Sequence[str]], first: int, say: Any, failures: list[str]) -> Iterator[Any]:
    """The runs of a multirun, one a seed; a mistake in a job is told in a line, kept, and stops no other."""
    import sys

    from metastruct.config.schema import ConfigError, composed
    from metastruct.running.command_line import one_line
    from metastruct.running.validation import validate
    from metastruct.running.validation.idle import without_idle
    from metastruct.sweeps.table import Planned, with_a_rank_that_counts

    notes: set[str] = set()
    for number, words in enumerate(job_overrides, first):
        label = " ".join(words)
        say(f"job {number}: {label}")
        try:
            cfg = composed(*words)
            kept, dropped = with_a_rank_that_counts(cfg, words)
            validate(cfg)
            cfg, kept, idle = without_idle(cfg, kept)
            for note in (dropped, *idle):
                if note and note not in notes:
                    notes.add(note)
                    say(note)
        except ConfigError as error:
            failures.append(label)
            print(f"error: {one_line(error)}", file=sys.stderr, flush=True)
            continue
        alike = [word for word in kept if word.partition("=")[0] not in ("seed", "replicas")]
        resolved: Any = OmegaConf.to_container(cfg, resolve=True)
        for seed in range(cfg.seed, cfg.seed + cfg.replicas):  # on which nothing else depends
            words_of_run = (*alike, f"seed={seed}", "replicas=1")
            yield Planned.of(cfg, resolved | {"seed": seed, "replicas": 1}, words_of_run, " ".join(alike))


def target(name: str) -> str:
    described: Any = OmegaConf.load(yaml_of("launcher", name))
    return str(described["_target_"])


for option in options("launcher"):
    described: Any = OmegaConf.to_container(OmegaConf.load(yaml_of("launcher", option)))
    node = described | {"_target_": f"{__name__}.{SweepLauncher.__name__}", "name": option}
    ConfigStore.instance().store(group="hydra/launcher", name=option, node=node, provider="metastruct")
