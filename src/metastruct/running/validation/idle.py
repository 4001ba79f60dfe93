"""Words of a command line that do nothing, because no chosen piece reads what they set: what is recorded is what ran.

Which settings a piece leaves idle its yaml declares (`ignores`), and the schema which do nothing by themselves. A word
is idle where all that differs without it is: `evaluation.steps=7` beside adaptation=gradient changes its steps as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any, get_type_hints

from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from metastruct.config.conditions import holds
from metastruct.config.facts import facts_of
from metastruct.config.pieces import plain
from metastruct.config.schema import Config, ConfigError, composed, described_pieces

LABELS = ("name", "_target_")


def check_idle(cfg: DictConfig, words: Sequence[str]) -> None:
    """Refuse the first of the words that a configuration was composed of that is idle.

    Raises:
        ConfigError: names it, and why.
    """
    for word, why in idle(cfg, words):
        raise ConfigError(f"{word} has no meaning for {why}; leave it out")


def without_idle(cfg: DictConfig, words: Sequence[str]) -> tuple[DictConfig, tuple[str, ...], list[str]]:
    """In a sweep: the configuration of the words that are not idle, those words, and the notes to print."""
    left_out = dict(idle(cfg, words))
    kept = tuple(word for word in words if word not in left_out)
    notes = [f"{word} is dropped for {why}" for word, why in left_out.items()]
    return composed(*kept) if left_out else cfg, kept, notes


def idle(cfg: DictConfig, words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each word that is idle, and for whom."""
    idle_settings = dict(unread(cfg))
    whole = _leaves(OmegaConf.to_container(cfg, resolve=True)) if idle_settings else {}
    for word in words:
        key = word.lstrip("+~").partition("=")[0]
        if not any(_within(key, setting) or _within(setting, key) for setting in idle_settings):
            continue
        rest = [other for other in words if other != word and not other.lstrip("+~").startswith(f"{key}.")]
        try:
            before = _leaves(OmegaConf.to_container(composed(*rest), resolve=True))
        except (HydraException, ConfigError):  # other words need this one
            continue
        changed = [leaf for leaf in {**whole, **before} if whole.get(leaf, ...) != before.get(leaf, ...)]
        reasons = [
            next((why for setting, why in idle_settings.items() if _within(leaf, setting)), None) for leaf in changed
        ]
        if reasons and None not in reasons:
            yield word, str(reasons[0])


def unread(cfg: DictConfig) -> Iterator[tuple[str, str]]:
    """The settings, or groups of such, that nothing reads by themselves, and for whom."""
    for group, piece in described_pieces(cfg).items():
        for entry in facts_of(group, piece.name).ignores:
            where, settings = entry.get("where", {}), plain(piece)
            if holds(where, settings):
                with_them = "".join(f" with {group}.{setting}={settings.get(setting)}" for setting in where)
                for setting in entry["settings"]:
                    yield setting, f"{group}={piece.name}{with_them}, {entry['because']}"
    if cfg.evaluation.states is not None:
        yield "evaluation.box_scale", f"evaluation.states={cfg.evaluation.states}, which lie in no box"
    hints = get_type_hints(Config)
    for group in (setting.name for setting in fields(Config) if setting.type != "Any"):
        for setting in fields(hints[group]) if hasattr(hints[group], "__dataclass_fields__") else ():
            if "through" in setting.metadata:
                through = setting.metadata["through"]
                yield f"{group}.{setting.name}", f"{through}={cfg[through].name}, which does not take it"


def _within(setting: str, group: str) -> bool:
    return f"{setting}.".startswith(f"{group}.")


def _leaves(node: Any, path: str = "") -> dict[str, Any]:
    """Every value of a plain tree by its place, but for the names of pieces."""
    if not isinstance(node, dict):
        return {path: node}
    every: dict[str, Any] = {}
    for key, value in node.items():
        if key not in LABELS:
            every |= _leaves(value, f"{path}.{key}" if path else str(key))
    return every
