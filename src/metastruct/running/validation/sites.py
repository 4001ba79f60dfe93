"""Are the sites there that a modulation takes? Yamls of nets and dynamics say which they have, a model shows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig

from metastruct.config.conditions import holds
from metastruct.config.facts import by_default, described, facts_of, options, settings_of
from metastruct.config.needs import Piece, Pieces
from metastruct.config.pieces import plain
from metastruct.config.schema import ConfigError

SITES = ("input", "hidden", "output")  # tags of the affine maps of a net that declares no others
TAGS = ("tags", "shift_tags")


def check_tags(pieces: Pieces, present: Sequence[str] | None = None) -> None:
    """Are the sites that a modulation takes those of the net and the dynamics?

    Args:
        present: the tags that a model shows; None: those that yamls declare.

    Raises:
        ConfigError: a tag is not there, or none that has numbers to be modulated.
    """
    modulation, net, dynamics = (pieces[group] for group in ("modulation", "net", "dynamics"))
    assert modulation is not None
    assert net is not None
    assert dynamics is not None
    there = tags_of(pieces) if present is None else [*dict.fromkeys(present)]
    for key, tag in strange_tags(modulation, there):
        chosen = [*modulation.settings[key]]
        near = ", ".join(there)
        where = f"net={net.name} with dynamics={dynamics.name}"
        owners = {other: piece for piece in _every() for other in sites(piece.group, piece.name)}
        if not isinstance(tag, str) or tag not in owners:
            every = ", ".join(dict.fromkeys([*there, *owners]))
            raise ConfigError(f"modulation.{key} must be a list of {every}, got {chosen}")
        for piece in (net, dynamics):
            if tag in sites(piece.group, piece.name):
                ways = (_words(pieces, dynamics, _kept(dynamics)), _words(pieces, piece, _where(piece, tag)))
                raise ConfigError(
                    f"modulation.{key} must name sites that are there, some of {near}, got [{', '.join(chosen)}]; "
                    f"leave {tag} out, or choose {next(filter(None, ways), f'another {piece.group}')}"
                )
        owner = owners[tag]
        raise ConfigError(
            f"modulation.{key} holds {tag}, which {where} has not; use {owner.group}={owner.name}, or some of {near}"
        )
    tags, shifts = ([tag for tag in modulation.settings.get(key) or [] if tag in there] for key in TAGS)
    if not modulation.settings.get("tags", ["all"]) and settings_of("modulation", modulation.name).tags:
        without = [name for name in options("modulation") if settings_of("modulation", name).get("tags") == []]
        hint = f"; use modulation={' or '.join(without)} for none" if without else ""
        raise ConfigError(f"modulation.tags must name at least one kind of site, got []{hint}")
    still = _unmoved(pieces)
    if not tags and not {*shifts} - still:
        raise ConfigError(
            f"modulation={modulation.name} must name sites in modulation.shift_tags that have an offset, got "
            f"[{', '.join(shifts)}]; use some of {', '.join(tag for tag in there if tag not in still)}"
        )


def strange_tags(modulation: Piece, there: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The setting and the tag of each kind of site that a modulation takes and that is not there.

    Those that its yaml names are taken as far as they are there, if one is.
    """
    for key in TAGS:
        tags = list(modulation.settings.get(key) or [])
        if tags != described("modulation", modulation.name).get(key) or not any(tag in there for tag in tags):
            yield from ((key, tag) for tag in tags if tag not in there)


def tags_of(pieces: Pieces) -> list[str]:
    """The tags of the sites that the net and the dynamics have with their settings."""
    net, dynamics = (pieces[group] for group in ("net", "dynamics"))
    kept = dynamics is None or holds(_kept(dynamics), _settings(pieces, dynamics))
    chosen = [piece for piece in (net if kept else None, dynamics) if piece]
    tags = [
        tag
        for piece in chosen
        for tag in sites(piece.group, piece.name)
        if holds(_where(piece, tag), _settings(pieces, piece))
    ]
    return [*dict.fromkeys(tags)]


def sites(group: str, name: str) -> list[str]:
    """The tags of what a piece has to be modulated, with some of its settings at least."""
    return list(facts_of(group, name).provides.get("sites", SITES if group == "net" else ()))


def check_order(cfg: DictConfig) -> None:
    """Are the sites that a modulation takes named once each, in one order? They are a set, and it has one key.

    A site without an offset is none of those whose offsets are taken, unless the yaml of the modulation names it.
    """
    there = [tag for group in ("net", "dynamics") for tag in sites(group, cfg[group].name)]
    chosen = {group: cfg[group] for group in ("dynamics", "bracket") if cfg[group] is not None}
    pieces = {group: Piece(group, piece.name, plain(piece)) for group, piece in chosen.items()}
    for key in TAGS:
        tags = list(cfg.modulation.get(key) or [])
        still = _unmoved(pieces) if key == "shift_tags" else set[str]()
        if tags == described("modulation", cfg.modulation.name).get(key):
            still = set()
        ordered = [tag for tag in dict.fromkeys(there) if tag in tags and tag not in still]
        if [tag for tag in tags if tag in there] != ordered:
            kind = "kind of site that has an offset" if still & {*tags} else "kind of site"
            raise ConfigError(f"modulation.{key} must name each {kind} once, in their order, got {tags}; use {ordered}")


def _unmoved(pieces: Pieces) -> set[str]:
    """The tags of sites without an offset: what is added to a potential changes nothing."""
    dynamics, bracket = (pieces.get(group) for group in ("dynamics", "bracket"))
    still = {"output"} if dynamics and dynamics.provided("potentials") else set()
    return still | {*(bracket.provided("unmoved") or ())} if bracket else still


def _kept(dynamics: Piece) -> Any:
    """The conditions on which a dynamics leaves to sites the tags of its net."""
    return dynamics.declared.get("net_sites", True)


def _where(piece: Piece, tag: str) -> Any:
    """The conditions of a site."""
    declared = facts_of(piece.group, piece.name).provides.get("sites")
    return declared.get(tag, True) if isinstance(declared, Mapping) else True


def _settings(pieces: Pieces, piece: Piece) -> Mapping[str, Any]:
    """Of a piece, and the sizes of the data, as far as they are known."""
    data = pieces.get("data")
    return {**(data.declared if data else {}), **piece.settings}


def _words(pieces: Pieces, piece: Piece, where: Any) -> str:
    """The first settings that are as conditions say; empty where they are so already, or there are none."""
    settings = _settings(pieces, piece)
    if holds(where, settings):
        return ""
    first = where if isinstance(where, Mapping) else where[0]
    unlike = {name: limit for name, limit in first.items() if not holds({name: limit}, settings)}
    return " and ".join(f"{piece.group}.{name} {limit}" for name, limit in unlike.items())


def _every() -> list[Piece]:
    """Each piece that may have sites, the default of its group last."""
    pieces = [Piece.as_described(group, name) for group in ("net", "dynamics") for name in options(group)]
    return sorted(pieces, key=lambda piece: piece.name == by_default().get(piece.group))
