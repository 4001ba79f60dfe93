"""What others must know of a piece, from the block `facts` of its yaml, conf/GROUP/NAME.yaml.

label, short, order     what people call it, and its place; its name and last where it says nothing
colour, marker          its look in figures; chosen for it where it says nothing
provides                word: value, what other pieces may need; `{setting: condition}` holds where the settings are so;
                        of a net and a dynamics `sites`, the tags that modulations may take, each with its condition;
                        of a dynamics `net_sites`, where sites have the tags of its net; of a bracket `unmoved`, the
                        tags of sites without an offset
excludes                settings that do not go together: {setting: condition, other: condition, because: why}; also
                        those of other groups, group.setting, and sizes of the data: states, coordinates, inputs
ignores                 settings of any piece that nothing reads beside it: {settings: [...], because: why}, perhaps
                        `where: {setting: condition}` of its own
needs                   group: {what: for people, word: condition}
values                  setting: its bounds, such as "at least 1 and below 8", or the list of its choices
shapes                  setting: how long its lists are, [rows, columns]: sizes of the data, or words of its own for a
                        size of at least one, which is the same wherever they stand
exactness, instead      of an adaptation: how exact a fit is, and who stands in where its needs are not met by default
only_measured, outside  of a data source: the settings that no training depends on, and those that no result does
example                 settings without which a piece makes no sense, as an example has them
trains                  of a learner: has it a meta-training?
repeats                 {settings: [...]}, perhaps `where`: those that count the gradient steps, a learner's in an outer
                        step, an adaptation's in all
prefers                 of a system: settings that others have another default for
formerly                the `_target_` that it had before it moved: run folders and keys of then stay valid
version                 one more where a change of its code changes the numbers of runs with it
search                  what a search of its settings draws: `metastruct.paper.search.space`

A condition is a value, a list of those that will do, true where there must be any, or bounds: `config.conditions`.

A metric has more: scale, digits, form (100, 2 and f show 1.23 x 1e-2), perfect (what an exact member has, a number or
[lowest, highest]), rolled_out (is it meaningless for a task whose rollout diverged?), headline (has it a line in the
summary of a run? `always`, an empty one too; `measured`; `never`), kept (do the records of a table keep it, unless the
table says otherwise?), headline_error (is it one of the errors of tables that ask for no others?), plain (its label on
a console, where that of tables is for readers of the paper).

Facts are no settings: they never reach a configuration, its keys or a class. This module is light, for a mistake is
answered at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from metastruct.config.declared import Facts as Facts
from metastruct.config.declared import MetricFacts as MetricFacts
from metastruct.config.folders import CONF as CONF
from metastruct.config.folders import cached, folders, yaml_of
from metastruct.config.mistakes import ConfigError, closest


@cached
def options(group: str) -> tuple[str, ...]:
    """The names of a group, those of its yamls."""
    return tuple(
        sorted(path.stem for folder in folders() for path in (folder / group).glob("*.yaml") if path.is_file())
    )


@cached
def in_order(group: str) -> tuple[str, ...]:
    """The names of a group in the order that its yamls give them."""
    return tuple(sorted(options(group), key=lambda name: (facts_of(group, name).order, name)))


@cached
def described(group: str, name: str) -> Mapping[str, Any]:
    """The whole yaml, nothing resolved.

    Raises:
        ConfigError: there is no such yaml in the group, or it cannot be read.
    """
    if name not in options(group):
        raise ConfigError(f"{group}={name} is not known; {closest(name, options(group))}")
    path = yaml_of(group, name)
    try:
        content: Any = OmegaConf.to_container(OmegaConf.load(path))
    except (YAMLError, OmegaConfBaseException, UnicodeError, OSError) as error:
        raise ConfigError(f"{path} must be a yaml of settings; {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must be a yaml of settings such as width: 64, got a list")
    return content


@cached
def facts_of(group: str, name: str) -> Facts:
    """Of this piece.

    Raises:
        ConfigError: its yaml has a fact that means nothing, or lacks one that the others of its group have.
    """
    kind = MetricFacts if group == "metric" else Facts
    content, names = described(group, name).get("facts", {}), [fact.name for fact in fields(kind)]
    if not isinstance(content, Mapping):
        raise ConfigError(f"{yaml_of(group, name)} must have facts such as label: {name}, got {content!r}")
    if strangers := [fact for fact in content if fact not in names]:
        raise ConfigError(
            f"{yaml_of(group, name)} has the fact {strangers[0]}, which is not known; there is {', '.join(names)}"
        )
    required = [fact.name for fact in fields(kind) if fact.default is fact.default_factory is MISSING]
    if missing := [fact for fact in required if fact not in content]:
        path = yaml_of(group, name)
        raise ConfigError(f"{path} must have the facts {', '.join(missing)}; those beside it show how")
    return kind(**content)


def metric_facts(name: str) -> MetricFacts:
    """Of the metric of this name; errors as of `facts_of`."""
    facts = facts_of("metric", name)
    assert isinstance(facts, MetricFacts)
    return facts


@cached
def headline_errors() -> tuple[str, ...]:
    """The errors of tables, figures and claims that ask for no others."""
    return tuple(name for name in in_order("metric") if metric_facts(name).headline_error)


def headings(metrics: Sequence[str]) -> str:
    """Short names and units of several metrics, such as "x 1e-2, field / trajectory"."""
    several = [metric_facts(name) for name in metrics]
    if len({facts.unit for facts in several}) == 1 and several[0].unit:
        return f"{several[0].unit}, {' / '.join(facts.short for facts in several)}"
    return " / ".join(f"{facts.short} ({facts.unit})" if facts.unit else facts.short for facts in several)


def settings_of(group: str, name: str) -> DictConfig:
    """What a yaml sets in a configuration: all but its facts and the choices that it makes in other groups."""
    content = {key: value for key, value in described(group, name).items() if key not in ("defaults", "facts")}
    return OmegaConf.create(content)


@cached
def brings(group: str, name: str) -> Mapping[str, str | None]:
    """What a yaml chooses in other groups, such as a learner its modulation; None where it takes a piece away."""
    pairs = [pair for entry in described(group, name).get("defaults", []) for pair in entry.items()]
    return {str(key).removeprefix("override /").partition("@")[0]: option for key, option in pairs}


@cached
def by_default() -> Mapping[str, str | None]:
    """The option of each group that conf/train.yaml chooses."""
    entries: Any = OmegaConf.to_container(OmegaConf.load(CONF / "train.yaml"))
    pairs = [pair for entry in entries["defaults"] if isinstance(entry, dict) for pair in entry.items()]
    return {str(group): option for group, option in pairs if not str(group).startswith("override ")}


def providing(group: str, word: str, value: Any = True) -> str:
    """Who of a group provides it, in the words of a command line."""
    names = [name for name in options(group) if facts_of(group, name).provides.get(word) == value]
    return f"{group}={' or '.join(names)}"


def ranked(modulation: str) -> bool:
    """Is the rank of this modulation that of the command line, so that it belongs to the name of the method?"""
    return "${rank}" in str(described("modulation", modulation).get("rank"))


def basis(words: Sequence[str]) -> tuple[str, ...]:
    """What experiment=paper chooses, and the tables rest on, as far as the words of a command leave it open."""
    chosen = {group: option for group, _, option in (word.partition("=") for word in words)}
    bringing = [
        brings(group, chosen[group]) for group in ("modulation", "learner") if chosen.get(group) in options(group)
    ]
    return tuple(
        f"{group}={option}"
        for group, option in brings("experiment", "paper").items()
        if group not in chosen and not any(group in piece for piece in bringing)
    )
