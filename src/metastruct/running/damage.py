"""Run folders that time, disks and people have had in hand: what is damaged is told, set aside and made again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from metastruct.running.run import Run
from metastruct.runs.files import read_checked, set_aside
from metastruct.runs.folder import RunFolder


def finished(folder: RunFolder) -> dict[str, Any] | None:
    """The metrics of a finished run whose files are whole, else None."""
    metrics = folder.finished()
    return None if metrics is None or damaged(folder) else metrics


def damaged(folder: RunFolder) -> list[Path]:
    """The files of a run that is finished, or seems so, that are there and not what a run leaves."""
    from metastruct.evaluation.archive import Archive

    if not folder.metrics.exists():
        return []
    results = [] if folder.finished() else [path for path in (folder.metrics, folder.records) if path.exists()]
    model = [folder.model] if folder.model.exists() and read_checked(folder.model) is None else []
    readers = {
        folder.config: lambda: Run.read(folder),
        folder.evaluation: lambda: Archive.load(folder.evaluation),
    }
    return [*results, *model, *(path for path, read in readers.items() if path.exists() and _fails(read))]


def _fails(read: Callable[[], Any]) -> bool:
    try:
        read()
    except (OSError, ValueError):
        return True
    return False


def set_damaged_aside(folder: RunFolder) -> None:
    """Give the damaged files of a run other names, by whoever holds the lock."""
    from metastruct.running.tracking.console import note

    for path in damaged(folder):
        note(f"{path} is damaged, and is set aside as {set_aside(path).name}; the run is made again")
