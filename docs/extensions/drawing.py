"""The drawing of the architecture, from the layers that import-linter holds and the lines of docs/architecture.md."""

from __future__ import annotations

import re
import tomllib
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
DRAWING = ROOT / "docs" / "static" / "rooms.svg"
WIDTH, FLOOR, GAP = 760, 54, 10
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
    """One box a room; a room imports only from those below it."""
    said, boxes = purposes(), []
    for number, rooms in enumerate(floors()):
        width = (WIDTH - GAP * (len(rooms) - 1)) / len(rooms)
        for place, room in enumerate(rooms):
            x, y = place * (width + GAP), number * (FLOOR + GAP)
            middle = x + width / 2
            boxes.append(f'<rect x="{x:.0f}" y="{y}" width="{width:.0f}" height="{FLOOR}" rx="6" fill="#dbe7f3" />')
            name = f'<text x="{middle:.0f}" y="{y + (22 if len(rooms) < 4 else 32)}" font-weight="600">{room}</text>'
            boxes.append(name)
            if len(rooms) < 4:
                words = said[room].strip()
                fits = int(width / 6.4)
                words = words if len(words) <= fits else words[:fits].rpartition(" ")[0] + " ..."
                boxes.append(f'<text x="{middle:.0f}" y="{y + 42}" font-size="12.5">{escape(words)}</text>')
    height = len(floors()) * (FLOOR + GAP) - GAP
    body = "\n".join(boxes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" style="{STYLE}" font-size="15" '
        f'text-anchor="middle" fill="#123">\n<rect width="{WIDTH}" height="{height}" fill="white" />\n{body}\n</svg>\n'
    )


def write(app: Sphinx | None = None) -> None:
    """Draw it, where it has changed."""
    if not DRAWING.exists() or DRAWING.read_text() != drawing():
        DRAWING.write_text(drawing())


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}
