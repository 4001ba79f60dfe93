"""Docstrings of this project as reStructuredText: formulas in a block of their own, nothing but backticks as markup."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx


MARKUP = re.compile(r"([*|\\]|(?<=\w)_(?!\w))")
SECTION = re.compile(r"(Args|Attributes|Raises|Returns):$")
SHARED = re.compile(r"^ {4}(\w+(?:, \w+)+): (.*)$")
GIVEN = re.compile(r"^ {4,}\S.*")
SUPPORTS = "_SupportsArray[dtype[Any]]"  # what Sphinx makes of numpy's ArrayLike inside of another type
UNION = f"_Buffer | {SUPPORTS} | _NestedSequence[{SUPPORTS}] | complex | bytes | str"
UNION += " | _NestedSequence[complex | bytes | str]"
FORWARD = re.compile(r"TypeAliasForwardRef\('(\w+)'\)")


def escaped(line: str) -> str:
    """A line whose signs mean themselves outside of backticks."""
    parts = line.split("`")
    return "`".join(part if number % 2 else MARKUP.sub(r"\\\1", part) for number, part in enumerate(parts))


def each(lines: Sequence[str]) -> Iterator[str]:
    """The lines, in which the first of several attributes that share a text refers to the last."""
    attributes = False
    for line in lines:
        if line and not line.startswith(" "):
            attributes = line == "Attributes:"
        shared = SHARED.match(line) if attributes else None
        if shared:
            *others, last = shared[1].split(", ")
            yield from (f"    {name}: with {last}." for name in others)
            yield f"    {last}: {shared[2]}"
        else:
            yield line


def rewritten(lines: Sequence[str]) -> list[str]:
    """The lines, with `::` before what is indented outside of a section such as `Args:`."""
    result: list[str] = []
    section = formula = False
    for line in each(lines):
        if line and not line.startswith(" "):
            section, formula = bool(SECTION.match(line)), False
        elif not section and GIVEN.match(line) and not formula:
            formula = True
            result += ["", "::", ""]
        result.append(line if formula else escaped(line))
    return result


def purpose(lines: Sequence[str]) -> list[str]:
    """The lines without the sections `Args:` and `Raises:`, which a table of settings says in its own words."""
    result: list[str] = []
    left_out = False
    for line in lines:
        if line and not line.startswith(" "):
            left_out = line in ("Args:", "Raises:")
        result += [] if left_out else [line]
    return result


def _briefly(what: str, options: Any) -> bool:
    """Is it a piece on the page of its options, and no class to derive from or to call?"""
    return what == "class" and not options.get("members")


def _process(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    lines[:] = rewritten(purpose(lines) if _briefly(what, options) else lines)


def _signature(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, signature: str | None, returned: str | None
) -> tuple[str, None] | None:
    return ("", None) if _briefly(what, options) else None


def named(text: str) -> str:
    """A type, or a parameter with one, by the name that its author used."""
    return FORWARD.sub(r"\1", text.replace(UNION, "ArrayLike"))


def _parameters(app: Sphinx, doctree: Any) -> None:
    from docutils.nodes import Text
    from sphinx.addnodes import desc_parameter, desc_returns

    for kind in (desc_parameter, desc_returns):
        for node in doctree.findall(kind):
            text = named(node.astext())
            if text != node.astext():
                node.children = [Text(text)]


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx; before napoleon, which reads the sections."""
    app.connect("autodoc-process-docstring", _process, priority=400)
    app.connect("autodoc-process-signature", _signature)
    app.connect("doctree-read", _parameters)
    return {"parallel_read_safe": True}
