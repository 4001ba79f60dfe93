"""Do the pieces go together, as their yamls declare it, and what to choose where they do not."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from metastruct.config.facts import brings, by_default, facts_of, options, ranked
from metastruct.config.needs import STUDIED, Piece, Pieces, Unmet, chosen, unmet
from metastruct.config.schema import COMPONENTS, ConfigError, takes_rank
from metastruct.running.validation.sites import strange_tags, tags_of

if TYPE_CHECKING:
    from metastruct.data.outline import Outline
    from metastruct.systems.system import System


def check_needs(pieces: Pieces) -> None:
    """Refuse the first need that is not met, with every exchange of one piece that would do."""
    data = pieces["data"]
    sized = data is not None and "states" in data.declared
    needs = [need for need in unmet(pieces) if sized or need.group != "data"]
    for need in sorted(needs, key=lambda need: need.group == "data"):  # sizes last: they tell least
        advice = ", or ".join(_ways(pieces, need)) or "change one of them"
        raise ConfigError(f"{need.piece.group}={need.piece.name} needs {need.phrase}, got {need.got}; {advice}")


def pieces_of(cfg: DictConfig, system: System | None, outline: Outline | None) -> Pieces:
    """The pieces of a configuration with their settings, and what the system and the data say of themselves."""
    plain: Any = {group: cfg[group] and OmegaConf.to_container(cfg[group], resolve=True) for group in COMPONENTS}
    law = {} if system is None else system.provides | {"plane": cfg.evaluation.states is None}
    data = {
        "measured": system is None,
        "observed_field": system is None and (outline is None or outline.derivatives is not False),
        "noisy": bool(plain["data"].get("noise")),
    }
    return chosen(plain, system=law, data=data | (outline.provides if outline else {}))


def _ways(pieces: Pieces, need: Unmet) -> Iterator[str]:
    """The words that meet a need, of the group that needs before the one that is needed, and of who needs the former.

    Those after which every need is met, or where there are none, those that break no other.
    """
    before = {other.key for other in unmet(pieces)}
    holders = [
        (piece.group, need.group)
        for piece in pieces.values()
        if piece and piece.group not in need.key and need.piece.group in facts_of(piece.group, piece.name).needs
    ]
    for allowed in (set[tuple[str, str]](), before - {need.key}):
        ways = []
        for group, kept in (need.key, need.key[::-1], *holders):
            present = pieces.get(group)
            studied = group == STUDIED or (group == "data" and need.piece is not present)
            alternatives = [
                name for name in options(group) if not studied and (present is None or name != present.name)
            ]
            names = [
                name
                for name in sorted(alternatives, key=lambda name: _rank_of(group, name))
                if _fits(exchanged(pieces, group, name, kept), allowed)
            ]
            if names:
                ways.append(f"use {group}={' or '.join(names)}")
            optional = group == need.piece.group and by_default().get(group, "") is None
            if optional and _fits({**pieces, group: None}, allowed):
                ways.append(f"leave {group} out")
        if ways:
            break
    yield from ways


def _fits(pieces: Pieces, allowed: Set[tuple[str, str]]) -> bool:
    """Are no other needs than the allowed ones unmet, and are the sites there that the modulation takes?"""
    modulation = pieces.get("modulation")
    if modulation and any(strange_tags(modulation, tags_of(pieces))):
        return False
    return {other.key for other in unmet(pieces)} <= allowed


def _rank_of(group: str, name: str) -> tuple[Any, ...]:
    """The most exact first, then the default, then by name."""
    return -facts_of(group, name).exactness, name != by_default().get(group), name


def exchanged(pieces: Pieces, group: str, name: str, kept: str = "") -> Pieces:
    """The pieces with another one in a group: what the old one brought goes, what the other brings comes.

    Args:
        kept: the group that stays as it is.
    """
    changed, old = dict(pieces), pieces.get(group)
    for other, option in {} if old is None else brings(group, old.name).items():
        present = pieces.get(other)
        if other != kept and option == (None if present is None else present.name):
            changed[other] = _described(other, by_default().get(other))
    for other, option in brings(group, name).items():
        if other != kept:
            changed[other] = _described(other, option)
    return changed | {group: _described(group, name)}


def _described(group: str, option: str | None) -> Piece | None:
    return None if option is None else Piece.as_described(group, option)


def check_rank(cfg: DictConfig) -> None:
    """Refuse a rank that the modulation does not take, or that is above the width of the net."""
    if cfg.rank is not None and not takes_rank(cfg):
        with_rank = [name for name in options("modulation") if ranked(name)]
        raise ConfigError(
            f"rank={cfg.rank} has no meaning for modulation={cfg.modulation.name}; "
            f"leave rank out or use modulation={' or '.join(with_rank)}"
        )
    rank, width = cfg.modulation.get("rank"), cfg.net.get("width")
    if rank is not None and width is not None and rank > width:
        raise ConfigError(f"rank must be at most net.width = {width}, got {rank}")
