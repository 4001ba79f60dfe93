"""What README and docs show: commands and Python, block by block.

A comment before a block says what a reader does not see: `<!-- small: -->`, that it is carried out in small, and
`<!-- not here: why -->`, that it is not. A line `name` before a block makes it the text of that file. In a notebook,
what is behind `# in small:` takes the place of the value before it.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from metastruct.config.facts import CONF

ROOT = CONF.parent
PAGES = tuple(sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]))
NOTEBOOKS = tuple(sorted((ROOT / "docs" / "notebooks").glob("*.py")))
BEFORE = r"(?:^<!-- (?P<mark>[\w ]+):[^\n]*-->\n|^`(?P<file>\S+)`\n\n)?"
FENCE = re.compile(BEFORE + r"^```(?P<language>\{?[\w-]*\}?)\n(?P<text>.*?)^```$", re.M | re.S)
IN_SMALL = re.compile(r"^(\w+ = ).*  # in small: (.*)$", re.M)


@dataclass(frozen=True)
class Block:
    """A block of a page.

    Args:
        language: `python`, `yaml`, or nothing for commands.
        text: what it holds.
        mark: small, not here, or nothing.
        file: whose text it is, if it is.
    """

    language: str
    text: str
    mark: str = ""
    file: str = ""

    @cached_property
    def commands(self) -> list[list[str]]:
        """The words of each command; of several in a line, each apart."""
        lines = self.text.replace("\\\n", " ").replace(" && ", "\n").splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def blocks(page: Path) -> list[Block]:
    """Every block of a page, in order."""
    found = [
        Block(match["language"], match["text"], match["mark"] or "", match["file"] or "")
        for match in FENCE.finditer(page.read_text())
    ]
    assert 2 * len(found) == len(re.findall("^```", page.read_text(), re.M)), f"{page} has a block that is not closed"
    return found


def in_small(notebook: Path) -> str:
    """The text of a notebook with its small numbers."""
    return IN_SMALL.sub(r"\1\2", notebook.read_text())
