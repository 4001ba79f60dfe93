"""The drawing of the architecture, from the layers that import-linter holds and the lines of docs/architecture.md."""

from __future__ import annotations

import re
import tomllib
from html import escape
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
DRAWING = ROOT / "docs" / "static" / "rooms.svg"
WIDTH, GAP, PAD, LINE = 350, 8, 9, 18  # pixels; as narrow as a phone, where no letter may be smaller than 12
NAME, WORDS, FITS = 15, 13, 46  # sizes of letters, and how many of the second go into a line
STYLE = "font-family: system-ui, sans-serif"


def floors() -> list[list[str]]:
    """The rooms of each floor, the highest first."""
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    return [re.split(r" [|:] ", layer) for layer in contract["layers"] if layer != "__main__"]


def purposes() -> dict[str, str]:
    """What each room is for, as docs/architecture.md says."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    return dict(re.findall(r"^  (\w+)/ +(.+)", text, re.M))


def drawing() -> str:
    """One box a floor, which imports only from those below it, with its rooms and what each is for."""
    said, parts, y = purposes(), [], 0
    for rooms in floors():
        lines = [(word, room) for room in rooms for word in ("", *wrap(said[room].strip(), FITS))]
        height = LINE * len(lines) + 2 * PAD
        parts.append(f'<rect x="0" y="{y}" width="{WIDTH}" height="{height}" rx="6" fill="#dbe7f3" />')
        for number, (words, room) in enumerate(lines, start=1):
            look = f'font-size="{WORDS}"' if words else f'font-size="{NAME}" font-weight="600"'
            place = f'x="{PAD}" y="{y + PAD + LINE * number - 5}"'
            parts.append(f"<text {place} {look}>{escape(words or room)}</text>")
        y += height + GAP
    body = "\n".join(parts)
    size = f'width="{WIDTH}" height="{y - GAP}" viewBox="0 0 {WIDTH} {y - GAP}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} style="{STYLE}" fill="#123">\n{body}\n</svg>\n'


def write(app: Sphinx | None = None) -> None:
    """Draw it, where it has changed."""
    if not DRAWING.exists() or DRAWING.read_text() != drawing():
        DRAWING.write_text(drawing())


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}
