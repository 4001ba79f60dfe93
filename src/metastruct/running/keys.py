"""The two keys of a run.

The *training key* names everything that the trained numbers depend on, the *evaluation key* adds what the measured
ones depend on. Logger, device, progress, checkpoint rhythm, launcher and force are in neither: changing them repeats
nothing. Of this package a version stands for its code; of a user's own law, net or learner its source does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from metastruct.config.facts import described, facts_of, options
from metastruct.runs.digest import digest
from metastruct.runs.source import foreign

RESULTS_VERSION = 9  # raise it when a change of code changes the numbers of an unchanged configuration

Tree = Mapping[str, Any]

# Where every setting belongs, by its group or in full; the more exact name decides. What is named nowhere is in the
# training key, so that a setting that nobody thought of repeats too much and not too little.
TRAINING, MEASUREMENT, NEITHER = "training", "measurement", "neither"
PLACES = {
    "trainer": NEITHER,  # the machinery
    "trainer.steps": TRAINING,
    "trainer.seconds": TRAINING,
    "adaptation": MEASUREMENT,
    "integrator": MEASUREMENT,
    "shots": MEASUREMENT,
    "evaluation": MEASUREMENT,
    "evaluation.figures": NEITHER,
    "evaluation.formats": NEITHER,
    "evaluation.animation": NEITHER,
    "rank": NEITHER,  # the modulation holds it, where it takes one
    "logger": NEITHER,
    "outputs": NEITHER,
    "tag": NEITHER,
    "force": NEITHER,
    "replicas": NEITHER,
}
# In a key only where they are set; keys of runs without them stay.
OPTIONAL = (
    *("start", "known", "encoder", "data.observed", "data.derivatives", "data.train_members", "data.outliers"),
    *("evaluation.metrics", "evaluation.states", "trainer.steps", "trainer.seconds"),
)


def place(setting: str, measured: Sequence[str] = (), outside: Sequence[str] = ()) -> str:
    """Which key a setting such as `trainer.steps` is in: that of the training, which the other holds, or of measuring.

    Args:
        measured: settings of the data that no training depends on.
        outside: those that no result depends on.
    """
    group, _, name = setting.partition(".")
    if group == "data" and name in (*measured, *outside):
        return MEASUREMENT if name in measured else NEITHER
    return PLACES.get(setting, PLACES.get(group, TRAINING))


def in_a_key(setting: str) -> bool:
    """Does a key depend on a setting, as it is written on a command line?"""
    return setting == "rank" or place(setting) != NEITHER


def _placed(cfg: Tree, parent: str) -> dict[str, Any]:
    """The settings of a configuration that belong to a place, in its form."""
    facts = facts_of("data", cfg["data"]["name"])
    kept: dict[str, Any] = {}
    for group, value in cfg.items():
        if f"{group}." in SPLIT:
            inner = {
                name: leaf
                for name, leaf in value.items()
                if place(f"{group}.{name}", facts.only_measured, facts.outside) == parent
                and not _unset(f"{group}.{name}", leaf)
            }
            kept |= {group: inner} if inner or group == "data" else {}
        elif place(group) == parent and not _unset(group, value):
            kept[group] = _as_kept(group, value)
    return kept


def _as_kept(group: str, value: Any) -> Any:
    """A piece with the class path that it had first, so that a class may move and keys stay, and its version."""
    name = value.get("name") if isinstance(value, Mapping) else None
    if name not in options(group) or "_target_" not in value:
        return value
    facts, target = facts_of(group, name), described(group, str(name)).get("_target_")
    if value["_target_"] not in (target, facts.formerly):
        return value
    version = {"version": facts.version} if facts.version > 1 else {}
    return {**value, "_target_": facts.formerly or target} | version


def _unset(setting: str, value: Any) -> bool:
    return setting in OPTIONAL and value is None


# Groups whose settings are in several places
SPLIT = {"data.", *(f"{setting.partition('.')[0]}." for setting in PLACES if "." in setting)}


def training_settings(cfg: Tree) -> dict[str, Any]:
    """The part of a resolved configuration that the trained model depends on."""
    kept = _placed(cfg, TRAINING)
    trainer = kept.pop("trainer")
    return kept | trainer | {"results": RESULTS_VERSION} | _own_code(kept)


def evaluation_settings(cfg: Tree) -> dict[str, Any]:
    """The part of a resolved configuration that the metrics depend on."""
    kept = _placed(cfg, MEASUREMENT)
    return {"training": training_settings(cfg)} | kept | _own_code(kept)


def _own_code(kept: Tree) -> dict[str, str]:
    """The digest of the source of the pieces that are not of this package, where there are any."""
    source = foreign(kept)
    return {"source": digest(source)} if source else {}


def training_key(cfg: Tree) -> str:
    """The key of a resolved configuration that its training is kept under."""
    return digest(training_settings(cfg))


def evaluation_key(cfg: Tree) -> str:
    """The key of a resolved configuration that its results are kept under."""
    return digest(evaluation_settings(cfg))
