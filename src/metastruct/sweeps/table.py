"""A table or figure of the paper as the list of its runs: conf/table/NAME.yaml.

    title: what it shows
    order: of the tables, when all are made and in the report
    layouts, drawing: how the report lays it out, `metastruct.paper.layout`, and draws it, a function of reports.plots
    steps: the preset of outer steps, for the runs that do not say otherwise
    metrics: those that its records keep; left out: all that their yamls say are kept
    errors: of these, those that its sheet and its figures show, the last of which decides what is best; left out: the
        field error and the trajectory error
    portrait: true for the phase portrait and metrics.json of the first run
    study: what is measured on its finished runs, a component of metastruct.sweeps.studies
    blocks: each a cross product of lists of words for train.py, `cross`, repeated for its `seeds`

Runs that would end in the same folder are one run, so a modulation without a rank appears once in a cross with ranks.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from metastruct.config.facts import basis, headline_errors, in_order, metric_facts, options
from metastruct.config.folders import yaml_of
from metastruct.config.mistakes import closest
from metastruct.config.schema import (
    ConfigError,
    check_names,
    check_switch,
    composed,
    drop_unused_rank,
    dynamics_name,
    groups,
    method_name,
    names,
)
from metastruct.config.words import value_of, worded
from metastruct.running.explanations import explained
from metastruct.running.places import run_folder, training_folder
from metastruct.running.validation import validate
from metastruct.runs.digest import digest
from metastruct.sweeps.launchers.launcher import Job

QUIET = ("logger=none", "evaluation.figures=false")  # what a sweep does without, unless the user says otherwise


@dataclass(frozen=True, kw_only=True)
class Planned(Job):
    """A run of a table."""

    training: Path
    table: str
    label: str  # its words without seed and bookkeeping
    seed: int
    method: str
    learner: str
    dynamics: str
    outer_steps: int | None
    training_seconds: float | None  # where a time ends it
    settings: DictConfig = field(compare=False)  # of the first seed

    @classmethod
    def of(cls, cfg: DictConfig, resolved: Mapping[str, Any], words: Iterable[str], label: str) -> Planned:
        """The run that the words of a command line make.

        Args:
            cfg: their configuration.
            resolved: the same as a plain tree, with the seed of this run.
        """
        method = method_name(cfg)
        return cls(
            overrides=tuple(words),
            folder=run_folder(resolved, method).path,
            training=training_folder(resolved, method),
            table=cfg.tag,
            label=label,
            seed=resolved["seed"],
            method=method,
            learner=cfg.learner.name,
            dynamics=dynamics_name(cfg),
            outer_steps=cfg.trainer.steps,
            training_seconds=cfg.trainer.seconds,
            settings=cfg,
        )


@dataclass(frozen=True)
class Table:
    """A table's yaml, and its runs."""

    name: str
    title: str
    jobs: tuple[Planned, ...]
    metrics: Sequence[str] = field(
        default_factory=lambda: [name for name in in_order("metric") if metric_facts(name).kept]
    )
    portrait: bool = False
    digest: str = ""  # of its yaml
    study: Mapping[str, Any] | None = None


def tables() -> list[str]:
    """The names of all tables, in the order in which they are worth having."""
    places = {name: described(name)["order"] for name in options("table")}
    return sorted(places, key=lambda name: (places[name], name))


def described(name: str) -> dict[str, Any]:
    """The yaml of a table."""
    content: Any = OmegaConf.to_container(OmegaConf.load(yaml_of("table", name)))
    return content


def table(name: str, outputs: Path, extra: Sequence[str] = ()) -> Table:
    """Read a table.

    Args:
        outputs: where run folders go.
        extra: words for train.py that every run gets, after its own.

    Raises:
        ConfigError: there is no such table, or a word of it means nothing or makes no sense.
    """
    if name not in tables():
        raise ConfigError(f"table={name} is not known; {closest(name, tables())}")
    content = described(name)
    preset = [f"trainer.steps={content['steps']}"] if "steps" in content else []
    jobs: dict[Path, Planned] = {}
    for words, seeds in _expanded(content["blocks"]):
        every = settled(*preset, *words, *extra)
        for job in planned(name, (*basis(every), *every), seeds, outputs, " ".join(every)):
            jobs.setdefault(job.folder, job)
        if extra:  # a yaml makes sense, as the tests see to
            validate(job.settings)
    kept = {key: content[key] for key in ("metrics", "portrait", "study") if key in content}
    result = Table(name, content["title"], tuple(jobs.values()), digest=digest_of(content), **kept)
    if missing := [error for error in errors().get(name, headline_errors()) if error not in result.metrics]:
        raise ConfigError(
            f"table={name}: errors holds {', '.join(missing)}, which its records do not keep; add it to its metrics"
        )
    return result


def errors() -> dict[str, Sequence[str]]:
    """The metrics that the sheet and the figures of a table show, of each that asks for some."""
    contents = {name: described(name) for name in options("table")}
    return {name: content["errors"] for name, content in contents.items() if "errors" in content}


def digests() -> dict[str, str]:
    """Of the yaml of every table."""
    return {name: digest_of(described(name)) for name in options("table")}


def digest_of(content: Mapping[str, Any]) -> str:
    """What tells whether the runs of a table's yaml have changed since it was collected."""
    return digest([content.get("steps"), content["blocks"]])


def _expanded(blocks: list[dict[str, Any]]) -> Iterator[tuple[tuple[str, ...], list[int]]]:
    for block in blocks:
        for words in itertools.product(*block["cross"]):
            yield tuple(" ".join(words).split()), block["seeds"]


def settled(*words: str) -> tuple[str, ...]:
    """The words, of which a later one takes the place of an earlier one with the same key."""
    return tuple({word.partition("=")[0]: word for word in words}.values())


def planned(
    table: str, words: tuple[str, ...], seeds: Sequence[int], outputs: Path, label: str | None = None
) -> Iterator[Planned]:
    """The runs that train.py makes of these words, one a seed, found without running them.

    Args:
        label: what they are called; their words, unless told otherwise.
    """
    cfg = configured(*words, f"seed={seeds[0]}", f"outputs={worded(outputs)}", f"tag={table}")
    words, note = with_a_rank_that_counts(cfg, words)
    label = " ".join(words) if label is None else label if note is None else " ".join(without_rank(label.split()))
    resolved: Any = OmegaConf.to_container(cfg, resolve=True)
    for seed in seeds:
        every = settled(*QUIET, *words, f"seed={seed}", f"outputs={worded(outputs)}", f"tag={table}")
        yield Planned.of(cfg, resolved | {"seed": seed}, every, label)  # nothing else depends on it


def with_a_rank_that_counts(cfg: DictConfig, words: Sequence[str]) -> tuple[tuple[str, ...], str | None]:
    """The words without a rank that the modulation cannot take, and the note to print, or None; cfg loses it, too."""
    note = drop_unused_rank(cfg)
    return tuple(words) if note is None else without_rank(words), note


def without_rank(words: Sequence[str]) -> tuple[str, ...]:
    """The words but for a rank."""
    return tuple(word for word in words if not word.startswith("rank="))


def configured(*words: str) -> DictConfig:
    """What `composed` makes of the words, without Hydra's composition for those that only set a value."""
    chosen = {*groups(), "experiment"}
    choices = tuple(word for word in words if word.partition("=")[0] in chosen)
    values = [word for word in words if word not in choices]
    cfg = copy.deepcopy(_composed(*choices))  # with the types of its schema
    before = names(cfg)
    for word in values:
        key, _, value = word.partition("=")
        try:
            OmegaConf.update(cfg, key, value_of(key, value))
        except (ConfigKeyError, ConfigAttributeError):
            raise ConfigError(f"{key} is not a setting of train.py; train.py --cfg job shows them all") from None
        except OmegaConfBaseException as error:
            raise ConfigError(explained(error)) from None
        check_switch(cfg, word)
    check_names(cfg, before)
    return cfg


_composed = lru_cache(maxsize=256)(composed)
