"""Which members, or which trajectories, no training sees: by name, by fold or by fraction.

Folds and fractions are drawn by the seed, members and trajectories alike. What a test member is adapted to, its
support, comes first among its trajectories, what it is measured against after it; none is both. A single trajectory is
cut in two, for its later part is a test of the earlier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from metastruct.config.mistakes import closest
from metastruct.data.family import Family
from metastruct.data.tables.trajectories import of_pieces
from metastruct.data.trajectory import Member, Trajectory

KINDS = ("members", "trajectories", "none")


@dataclass(frozen=True)
class HoldOut:
    """What is kept from training.

    Args:
        kind: "members", "trajectories" of every member, or "none".
        names: of those that are held out; none leaves it to folds or to the fraction.
        fraction: of them, one at least.
        folds, fold: so many parts of equal size, and the one that is held out; None leaves it to the fraction.
        seed: of the draw.
        support: trajectories that a test member is adapted to; None, half of what there is.

    Raises:
        ValueError: these do not go together.
    """

    kind: str = "members"
    names: Sequence[str] = ()
    fraction: float = 0.2
    folds: int | None = None
    fold: int = 0
    seed: int = 0
    support: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"data.hold_out must be one of {', '.join(KINDS)}, got {self.kind!r}")
        if self.names and self.folds is not None:
            raise ValueError("data.test_names and data.folds both say what is held out; leave one out")
        if self.folds is not None and not 0 <= self.fold < self.folds:
            raise ValueError(f"data.fold must be from 0 to data.folds - 1 = {self.folds - 1}, got {self.fold}")
        if not 0 < self.fraction < 1:
            raise ValueError(
                f"data.test_fraction must be between 0 and 1, got {self.fraction}; data.hold_out=none is 0"
            )

    def divide(self, family: Family) -> Division:
        """The family in two.

        Raises:
            ValueError: too little is left of one part, or a name is that of none.
        """
        if self.kind == "none":
            return Division(family.members, (), self.support or 1, ("nothing is held out",))
        return self._members(family) if self.kind == "members" else self._trajectories(family)

    def _members(self, family: Family) -> Division:
        if len(family) == 1:
            raise ValueError(
                "data.hold_out=members needs at least two members, got one; use data.hold_out=trajectories or none"
            )
        names = [member.name for member in family.members]
        if strangers := [name for name in self.names if name not in names]:
            raise ValueError(
                f"data.test_names names the member {strangers[0]}, which is not there; {closest(strangers[0], names)}"
            )
        chosen = self._chosen(names, 0)
        train = tuple(member for member in family.members if member.name not in chosen)
        if not train:
            raise ValueError(f"data.test_names holds out all {len(names)} members; leave one to train on")
        notes = [f"held out: the members {', '.join(sorted(chosen, key=names.index))}"]
        test = []
        for member in family.members:
            if member.name in chosen:
                if len(member.trajectories) == 1:
                    notes.append(
                        f"the one trajectory of member {member.name} is cut in two, its later half is asked for"
                    )
                    member = replace(member, trajectories=cut(member.trajectories[0], 0.5, member.name))
                test.append(member)
        fewest = min(len(member.trajectories) for member in test)
        support = self.support or fewest // 2
        if support >= fewest:
            raise ValueError(
                f"data.support_trajectories must be below the {fewest} trajectories of a test member, got {support}"
            )
        return Division(train, tuple(test), support, (*notes, _support(support)))

    def _trajectories(self, family: Family) -> Division:
        whole = [list(dict.fromkeys(map(of_pieces, names))) for names in family.trajectory_names]
        every = [name for names in whole for name in names]
        if strangers := [name for name in self.names if name not in every]:
            raise ValueError(
                f"data.test_names names the trajectory {strangers[0]}, which is not there; "
                f"{closest(strangers[0], list(dict.fromkeys(every)))}"
            )
        train, parts, notes = [], [], []
        for number, (member, pieces) in enumerate(zip(family.members, family.trajectory_names, strict=True)):
            names = whole[number] if len(whole[number]) > 1 else list(pieces)
            paths, chosen = dict(zip(pieces, member.trajectories, strict=True)), set[str]()
            if len(names) > 1:
                chosen = self._chosen(names, number)
            elif not self.names or self.names[0] in names:
                share = self.fraction if self.folds is None else 1 / self.folds
                earlier, later = cut(paths[names[0]], 1 - share, member.name)
                paths, chosen = {"earlier": earlier, "the later part": later}, {"the later part"}
            held = {name for name in paths if name in chosen or of_pieces(name) in chosen}
            kept = tuple(one for name, one in paths.items() if name not in held)
            if not kept:
                raise ValueError(f"data.test_names holds out all trajectories of member {member.name}; leave it one")
            train.append(replace(member, trajectories=kept))
            if held:
                notes.append(f"{', '.join(name for name in paths if name in held)} of {member.name}")
                parts.append((member, kept, tuple(paths[name] for name in paths if name in held)))
        fewest = min(len(kept) for _, kept, _ in parts)
        support = self.support or fewest
        if support > fewest:
            raise ValueError(
                f"data.support_trajectories must be at most the {fewest} training trajectories of a test member, got "
                f"{support}"
            )
        test = tuple(replace(member, trajectories=kept[:support] + later) for member, kept, later in parts)
        return Division(tuple(train), test, support, (f"held out: trajectories {'; '.join(notes)}", _support(support)))

    def _chosen(self, names: Sequence[str], stream: int) -> set[str]:
        """Of one list of names, those that are held out."""
        if self.names:
            return {*self.names} & {*names}
        order = np.random.default_rng([self.seed, stream]).permutation(len(names))
        if self.folds is None:
            count = min(max(1, round(self.fraction * len(names))), len(names) - 1)
            return {names[place] for place in order[:count]}
        if self.folds > len(names):
            raise ValueError(f"data.folds must be at most the {len(names)} that there are to divide, got {self.folds}")
        return {names[place] for place in np.array_split(order, self.folds)[self.fold]}


@dataclass(frozen=True)
class Division:
    """Members to train on, those to measure on with so many trajectories of support, and notes on how it was done."""

    train: tuple[Member, ...]
    test: tuple[Member, ...]
    support: int
    notes: tuple[str, ...] = ()


def cut(one: Trajectory, share: float, member: str) -> tuple[Trajectory, Trajectory]:
    """A trajectory as two, the first with this share of its instants.

    Raises:
        ValueError: it has less than four, so that a part would not move.
    """
    count = len(one)
    if count < 4:
        raise ValueError(
            f"the one trajectory of member {member} must have at least 4 instants to be cut in two, got {count}; give "
            "it another trajectory, or use data.hold_out=none"
        )
    place = min(max(2, round(share * count)), count - 2)
    return one.part(slice(place)), one.part(slice(place, None))


def _support(count: int) -> str:
    first = "trajectory" if count == 1 else f"{count} trajectories"
    return f"each is adapted to its first {first} alone; the others are forecast from their first observation"


def fewer(members: tuple[Member, ...], count: int | None, seed: int) -> tuple[Member, ...]:
    """At most so many of some members in their order, the first of one draw, so that fewer are among more."""
    if count is None or count >= len(members):
        return members
    order = np.random.default_rng([seed, 2]).permutation(len(members))[:count]
    return tuple(members[place] for place in sorted(order))
