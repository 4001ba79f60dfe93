"""Write tables, figures, verdicts and one page from the results of tables on disk.

metastruct report [FOLDER]

FOLDER holds a folder a table, as metastruct reproduce leaves them; outputs/reference where none is named.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from metastruct.commands import HELP

FOLDER = Path("outputs") / "reference"


def run(words: Sequence[str]) -> None:
    """Write the report and say where."""
    if {*HELP} & {*words}:
        print(__doc__)
        return
    if len(words) > 1 or any(word.startswith("-") for word in words):
        raise ValueError(f"report takes one folder, got {' '.join(words)}; metastruct report --help says more")
    folder = Path(words[0]) if words else FOLDER
    if not folder.is_dir():
        raise ValueError(f"FOLDER must hold results of metastruct reproduce, and {folder} is not there")
    from metastruct.paper.report import report
    from metastruct.sweeps.table import digests, errors

    began = time.perf_counter()
    path = report(folder, partial(print, flush=True), digests(), errors())
    print(f"{path}, {time.perf_counter() - began:.0f} s")
