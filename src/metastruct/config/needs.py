"""Which pieces go together: what each needs of the others, and what they provide, as their yamls declare it.

A piece of one group needs words of another, each as a condition says, such as a value or one of several; a need is met
where the piece that is chosen there provides them. One that asks for nothing but a piece is met by any.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from metastruct.config.conditions import fits, holds
from metastruct.config.facts import described, facts_of

PHRASE = "what"  # the words of a need for people
STUDIED = "system"  # never exchanged for what goes with a piece


@dataclass(frozen=True)
class Piece:
    """An option of a group with its settings.

    Args:
        more: what it provides beside the facts of its yaml, as a system its structure.
    """

    group: str
    name: str
    settings: Mapping[str, Any]
    more: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def as_described(cls, group: str, name: str) -> Piece:
        """With the settings of its yaml."""
        return cls(group, name, described(group, name))

    @property
    def declared(self) -> Mapping[str, Any]:
        """What it provides, conditions included."""
        return {**facts_of(self.group, self.name).provides, **self.more}

    def provided(self, word: str) -> Any:
        """The value of a word, False where it says nothing or its settings are not those of the condition."""
        value = self.declared.get(word, False)
        if isinstance(value, Mapping):
            return holds(value, self.settings)
        return value


Pieces = Mapping[str, Piece | None]  # by group


@dataclass(frozen=True)
class Unmet:
    """A need of one piece that another does not meet, or that none is there to meet.

    Args:
        lacking: the words that are not as they should be.
    """

    piece: Piece
    group: str
    other: Piece | None
    phrase: str
    lacking: tuple[str, ...]

    @property
    def key(self) -> tuple[str, str]:
        """The groups of the piece and of what it needs."""
        return self.piece.group, self.group

    @property
    def got(self) -> str:
        """What is there instead, with what it says of the words that are needed."""
        if self.other is None:
            return f"no {self.group}"
        declared = self.other.declared
        phrases = [_said(word, declared[word]) for word in self.lacking if declared.get(word, False) is not False]
        return f"{self.group}={self.other.name}" + (f" ({', '.join(phrases)})" if phrases else "")


def _said(word: str, value: Any) -> str:
    word = word.replace("_", " ")
    if value is True:
        return word
    if not isinstance(value, Mapping):
        return f"{word}: {value}"
    limits = (f"[{', '.join(limit)}]" if isinstance(limit, list) else str(limit) for limit in value.values())
    return f"{word} only with {', '.join(map(' '.join, zip(value, limits, strict=True)))}"


def chosen(settings: Mapping[str, Mapping[str, Any] | None], **more: Mapping[str, Any]) -> Pieces:
    """The pieces of the settings of each group, which hold their names.

    Args:
        more: what the system, or the piece of another group, says of itself.
    """
    return {
        group: None if piece is None else Piece(group, piece["name"], piece, more.get(group, {}))
        for group, piece in settings.items()
    }


def unmet(pieces: Pieces) -> Iterator[Unmet]:
    """Every need that is not met, in the order of the pieces; nothing is asked of a law that nobody knows."""
    for piece in pieces.values():
        for need in () if piece is None else unmet_of(piece, pieces):
            if need.other is not None or need.group != STUDIED or not need.lacking:
                yield need


def unmet_of(piece: Piece, pieces: Pieces) -> Iterator[Unmet]:
    """What this piece needs of the others and does not get."""
    for group, need in facts_of(piece.group, piece.name).needs.items():
        other = pieces.get(group)
        words = {word: value for word, value in need.items() if word != PHRASE}
        lacking = tuple(
            word
            for word, value in words.items()
            if other is None or not fits(other.provided(word), value, piece.settings)
        )
        if other is None or lacking:
            yield Unmet(piece, group, other, str(need.get(PHRASE, f"a {group}")), lacking)
