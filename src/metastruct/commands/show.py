"""Print a finished run again: its results, where its figures are, and what can be done with it.

metastruct show RUN [--open]

RUN is a run folder. --open shows its figures by the program that this machine has for pictures.
"""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path

from metastruct.commands import parsed
from metastruct.runs.folder import RunFolder

PLACES = ("RUN",)


def main(words: Sequence[str]) -> None:
    """Print it, and open its figures where that is asked for."""
    (place,), flags = parsed(words, "show", {"--open": ""}, PLACES)
    from metastruct.running.result import comparable, print_result
    from metastruct.running.run import Run

    folder = RunFolder(Path(place))
    metrics = folder.finished()
    if metrics is None:
        raise ValueError(f"{place} must be the folder of a finished run, got one without its results{folder.standing}")
    print_result(metrics, folder.path, comparable(Run.read(folder).config))
    if "--open" in flags:
        for path in sorted([*folder.figures.glob("*.png"), *folder.figures.glob("*.gif")]):
            if not webbrowser.open(path.resolve().as_uri()):
                raise ValueError(f"--open needs a program that shows pictures, got none; they are in {folder.figures}")
