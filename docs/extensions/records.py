"""Links to files of record, which lie outside of the pages, as links to copies that the pages bring along."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

LINK = re.compile(r"\]\(((?:\.\./)+outputs/[^)]+(?<!\.png))\)")  # pictures are shown


def _bring(app: Sphinx, page: str, source: list[str]) -> None:
    source[0] = LINK.sub(r"](path:\1)", source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", _bring)
    return {"parallel_read_safe": True}
