"""The command line of scripts/reproduce.py."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.progress import track

from metastruct.config.added import check_added
from metastruct.config.facts import options as names_of
from metastruct.config.folders import without_folders, yaml_of
from metastruct.config.mistakes import closest
from metastruct.config.schema import ConfigError
from metastruct.config.words import value_of
from metastruct.running.assembly import component
from metastruct.running.explanations import explained
from metastruct.running.keys import in_a_key
from metastruct.runs.files import make_folder
from metastruct.runs.refusals import check_place, status_of
from metastruct.sweeps.collect import collect
from metastruct.sweeps.launchers.launcher import Launcher
from metastruct.sweeps.plan import Plan, carry_out, duration
from metastruct.sweeps.table import Table, described, table, tables

USAGE = """Reproduce the paper's tables: python scripts/reproduce.py [table=NAME,...] [launcher=NAME] [key=value ...]

  table=main,shots     which tables; left out: all of them, in this order:
{tables}
  launcher=NAME        {launchers}; left out: {default}
  slots=2 ...          a setting of the launcher (conf/launcher/NAME.yaml)
  seeds=0              only these seeds
  steps=600            outer steps of every training, for a trial
  with=key=value       a word for train.py that every run gets; may be repeated
  replicas=3           so many seeds of a setting are trained together, as one batched computation: made for GPUs, it
                       saves a CPU a third of the time of small steps, a fifth of that of others
  retry=true           runs that failed are tried again; else they are only listed
  outputs=FOLDER       where run folders go (outputs)
  reference=FOLDER     where results go (outputs/reference; outputs/trial if seeds, steps or with change a table)
  --dry-run            only say what is done, what is missing, what failed and how long it will take

Finished runs are recognised and not repeated; interrupted ones go on from their last checkpoint."""

KEYS = ("table", "launcher", "seeds", "steps", "with", "retry", "replicas", "outputs", "reference")
# Words of train.py that are no word for every run of a table, and what says it to a sweep
INSTEAD = {"seed": "seeds=0,1", "outputs": "outputs=FOLDER", "tag": "table=NAME", "replicas": "replicas=3"}


@dataclass
class Options:
    """What the user asked for."""

    tables: list[str]
    launcher: str = "gpu_pool"
    settings: dict[str, Any] = field(default_factory=dict)  # of the launcher
    extra: list[str] = field(default_factory=list)  # words for every run
    seeds: set[int] | None = None
    retry: bool = False
    replicas: int = 1
    dry: bool = False
    outputs: Path = Path("outputs")
    destination: Path | None = None  # where results go, if the user says so

    @property
    def reference(self) -> Path:
        """Where results go; those of a table that the user changed are not of record."""
        changed = self.seeds is not None or any(in_a_key(word.partition("=")[0]) for word in self.extra)
        return self.destination or self.outputs / ("trial" if changed else "reference")


def main(words: Sequence[str]) -> int:
    """Do what the words say; returns the exit code: 0, 1 after a failed run, 2 for words that mean nothing, 130."""
    if {"-h", "--help", "help"} & set(words):
        listed = "\n".join(f"                         {name}: {described(name)['title']}" for name in tables())
        print(USAGE.format(tables=listed, launchers=", ".join(launchers()), default=Options.launcher))
        return 0
    try:
        rest = without_folders(words)
        check_added()
        options = parsed(rest)
        launcher = made(options)
        chosen = [read(name, options) for name in followed(options.tables)]
        return reproduce(chosen, launcher, options, shlex.join(["python", "scripts/reproduce.py", *words]))
    except (ValueError, HydraException, OmegaConfBaseException, OSError) as error:
        print(f"error: {explained(error)}", file=sys.stderr)
        return status_of(error) if isinstance(error, OSError) else 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def reproduce(chosen: Sequence[Table], launcher: Launcher, options: Options, command: str) -> int:
    """Make what is missing of some tables and collect the results; returns the exit code."""
    plan = Plan.of(job for one in chosen for job in one.jobs)
    for one in chosen:
        show(one, plan)
    seconds = plan.seconds(plan.missing(options.retry), launcher.slots)
    say(f"{len(plan.finished)} of {len(plan.jobs)} runs done, {len(plan.missing())} missing, {len(plan.failed)} failed"
        f"; about {duration(seconds)} on {launcher.slots} slots")  # fmt: skip
    if options.dry:
        return 0
    for folder in (options.outputs, options.reference):
        make_folder(folder)  # if it cannot be made, before anything is run
    began, interrupted = time.perf_counter(), False
    outcomes = []
    try:
        outcomes = carry_out(plan, launcher, options.retry, say, options.replicas)
    except KeyboardInterrupt:
        interrupted = True
        say("interrupted; the same command goes on")
    for one in chosen:
        count = collect(one, plan.failed, options.reference / one.name, command)
        say(f"{options.reference / one.name}: {count} of {len(one.jobs)} runs")
        if one.study is not None and not interrupted:
            study = component(OmegaConf.create({**one.study}))
            study.study([job.run for job in one.jobs], options.outputs / one.name, options.reference / one.name)
    if outcomes:
        say(f"{len(outcomes)} runs ended in {duration(time.perf_counter() - began)}")
    for folder, error in plan.failed.items():
        say(f"failed: {plan.jobs[folder].label} seed={plan.jobs[folder].seed}: {error}")
    if plan.failed:
        say("retry=true tries the failed ones again")
    unfinished = any(outcome.error for outcome in outcomes)  # also of runs that were stopped from outside
    return 130 if interrupted else int(unfinished or bool(plan.failed))


def show(one: Table, plan: Plan) -> None:
    """A table's state: counts, and in a line of its own every setting with runs that are missing or failed."""
    finished = sum(job.folder in plan.finished for job in one.jobs)
    failed = [job for job in one.jobs if job.folder in plan.failed]
    missing = [job for job in one.jobs if job.folder not in plan.finished | plan.failed.keys()]
    say(f"{one.name}: {one.title}")
    say(f"  {len(one.jobs)} runs, {finished} done, {len(missing)} missing, {len(failed)} failed")
    by_label: dict[str, list[int]] = {}
    for job in missing:
        by_label.setdefault(job.label, []).append(job.seed)
    for label, seeds in by_label.items():
        say(f"  missing  {label} seed={','.join(map(str, seeds))}")
    for job in failed:
        say(f"  failed   {job.label} seed={job.seed}: {plan.failed[job.folder]}")


def parsed(words: Sequence[str]) -> Options:
    """The options of a command line; a word that means nothing is refused."""
    options, keys = Options(tables()), set[str]()
    for word in words:
        key, equals, value = word.lstrip("-").partition("=")
        if key in keys - {"with"}:
            raise ConfigError(f"{key} must be there once, got it twice; leave one out")
        keys.add(key)
        if key == "dry-run" and not equals:
            options.dry = True
        elif not equals:
            raise ConfigError(f"{word!r} is not key=value; --help lists what there is")
        elif key == "table":
            options.tables = [*dict.fromkeys(value.split(","))]
        elif key == "launcher":
            options.launcher = value
        elif key == "seeds":
            options.seeds = {_whole(key, seed) for seed in value.split(",")}
        elif key == "steps":
            options.extra.append(f"trainer.steps={_whole(key, value)}")
        elif key == "with":
            if not (inner := value.partition("=")[0]) or "=" not in value:
                raise ConfigError(f"with must be followed by a word for train.py such as with=shots=20, got {value!r}")
            if inner in INSTEAD:
                raise ConfigError(f"with={inner}=... is not for every run; use {INSTEAD[inner]}")
            options.extra.append(value)
        elif key == "replicas":
            options.replicas = _whole(key, value)
            if options.replicas < 1:
                raise ConfigError(f"replicas must be at least 1, got {value}")
        elif key == "retry":
            if value.lower() not in ("true", "false"):
                raise ConfigError(f"retry must be true or false, got {value!r}")
            options.retry = value.lower() == "true"
        elif key == "outputs":
            options.outputs = _place(key, value)
        elif key == "reference":
            options.destination = _place(key, value)
        else:
            options.settings[key] = value_of(key, value)
    return options


def _place(key: str, text: str) -> Path:
    if not text.strip():
        raise ConfigError(f"{key} must be the name of a folder, got {text!r}")
    check_place(key, Path(text), True)
    return Path(text)


def _whole(key: str, text: str) -> int:
    if not text.isdigit():
        raise ConfigError(f"{key} must be whole numbers, got {text!r}")
    return int(text)


def launchers() -> list[str]:
    """The names of the launchers."""
    return [*names_of("launcher")]


def made(options: Options) -> Launcher:
    """The launcher that was asked for, with its settings."""
    if options.launcher not in launchers():
        raise ConfigError(f"launcher={options.launcher} is not known; {closest(options.launcher, launchers())}")
    settings: Any = OmegaConf.load(yaml_of("launcher", options.launcher))
    listing = [str(key) for key in settings if key not in ("_target_", "name")]
    for key, value in options.settings.items():
        if key not in listing:
            near = closest(key, [*KEYS, *listing])
            raise ConfigError(f"{key} is not a setting of launcher={options.launcher}; {near}")
        settings[key] = value
    launcher: Launcher = component(settings)
    return launcher


def followed(names: Sequence[str]) -> Iterable[str]:
    """The names, with a bar on a terminal, for composing the settings of all tables takes some seconds."""
    terminal = Console(stderr=True, emoji=False)
    return track(names, "reading the tables", console=terminal, transient=True, disable=not terminal.is_terminal)


def read(name: str, options: Options) -> Table:
    """A table with the changes of the command line."""
    one = table(name, options.outputs, options.extra)
    if options.seeds is None:
        return one
    jobs = tuple(job for job in one.jobs if job.seed in options.seeds)
    if not jobs:
        listing = ", ".join(map(str, sorted({job.seed for job in one.jobs})))
        raise ConfigError(f"seeds must be among {listing}, which table={name} has, got {sorted(options.seeds)}")
    return replace(one, jobs=jobs)


def say(text: str) -> None:
    """Print a line."""
    print(text, flush=True)
