"""Write tables, figures, verdicts and one page from the results of tables on disk.

metastruct report [FOLDER]

FOLDER holds a folder a table, as metastruct reproduce leaves them; outputs/reference where none is named.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from metastruct.commands import parsed

PLACES = ()  # FOLDER may be left out
FOLDER = Path("outputs") / "reference"


def main(words: Sequence[str]) -> None:
    """Write the report and say where."""
    places, _ = parsed(words, "report", {}, ("FOLDER",) if words else ())
    folder = Path(places[0]) if places else FOLDER
    if not folder.is_dir():
        raise ValueError(f"FOLDER must be one with results of metastruct reproduce, got {folder}, which is no folder")
    from metastruct.paper.layout import LAYOUTS
    from metastruct.paper.report import report
    from metastruct.paper.sources import SCRIPTED
    from metastruct.sweeps.table import digests, errors

    if not any((folder / name).is_dir() for name in (*LAYOUTS, *SCRIPTED)):
        raise ValueError(
            f"FOLDER must be one with results of metastruct reproduce, got {folder}, which holds no table such as main"
        )
    began = time.perf_counter()
    path = report(folder, partial(print, flush=True), digests(), errors())
    print(f"{path}, {time.perf_counter() - began:.0f} s")
