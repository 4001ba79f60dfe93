"""The page of the commands, from the help that they give."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import metastruct.commands
from metastruct.commands import subcommands

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE = Path(__file__).resolve().parents[1]


def page() -> str:
    """One section a command: the text of its `--help`."""
    folder = Path(metastruct.commands.__file__).parent
    lines = ["# Commands", "", "What each says under `--help`.", ""]
    for name in subcommands():
        text = ast.get_docstring(ast.parse((folder / f"{name}.py").read_text())) or ""
        lines += [f"## metastruct {name}", "", "```text", text, "```", ""]
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
