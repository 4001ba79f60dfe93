"""The page of the commands, from the help that they give."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import metastruct.commands
from metastruct.commands import subcommands

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE = Path(__file__).resolve().parents[1]
FLAG = re.compile(r"(?<!\S)(--[\w-]+(?: -(?!\S))?)")


def prose(paragraph: str) -> str:
    """Lines of a help as text, in which flags are code and nothing else is markup."""
    plain = re.sub(r"([*_<>$\\\[\]])", r"\\\1", " ".join(paragraph.split()))
    return FLAG.sub(r"`\1`", plain)


def page() -> str:
    """One section a command: its `--help`, what is to be typed in a block."""
    folder = Path(metastruct.commands.__file__).parent
    lines = ["# Commands", "", "What each says under `--help`.", ""]
    for name in subcommands():
        text = ast.get_docstring(ast.parse((folder / f"{name}.py").read_text())) or ""
        lines += [f"## metastruct {name}", ""]
        for paragraph in text.split("\n\n"):
            typed = paragraph.startswith("metastruct ")
            lines += ["```", paragraph, "```", ""] if typed else [prose(paragraph), ""]
    return "\n".join(lines)


def write(app: Sphinx | None = None) -> None:
    """The page, where it has changed."""
    path = HERE / "generated" / "commands.md"
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_text() != page():
        path.write_text(page())


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}
