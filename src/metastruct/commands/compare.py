"""Lay finished runs side by side: the settings in which they differ, and what was measured.

metastruct compare RUN RUN ...

Errors are mean ± deviation over test tasks. Settings that are alike in all runs are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from metastruct.commands import parsed
from metastruct.config.facts import in_order, metric_facts
from metastruct.runs.folder import RunFolder

PLACES = ("RUN", "RUN")  # or more
UNSAID = ("_target_", "force", "outputs", "tag")  # they change no number


def main(words: Sequence[str]) -> None:
    """Print the table."""
    places, _ = parsed(words, "compare", {}, ("RUN",) * max(len(words), len(PLACES)))
    from metastruct.running.run import Run
    from metastruct.running.tracking.console import show

    every, settings = [], []
    for place in places:
        folder = RunFolder(Path(place))
        metrics = folder.finished()
        if metrics is None:
            raise ValueError(
                f"{place} must be the folder of a finished run, got one without its results{folder.standing}"
            )
        every.append(metrics)
        settings.append(dict(flat(Run.read(folder).settings)))
    show(("", *(Path(place).name for place in places)), (*differing(settings), *measured(every)))


def flat(settings: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Every setting of a run by its key on a command line; of a piece its name stands for the whole."""
    for key, value in settings.items():
        place = f"{path}{key}"
        if key == "name" and path:
            yield path.rstrip("."), str(value)
        elif isinstance(value, Mapping):
            yield from flat(value, f"{place}.")
        elif key not in UNSAID:
            yield place, str(value)


def differing(settings: Sequence[Mapping[str, str]]) -> Iterator[tuple[str, ...]]:
    """A row of each setting that is not the same in all runs; "-" where a run has none."""
    for key in dict.fromkeys(key for one in settings for key in one):
        values = [one.get(key, "-") for one in settings]
        if len({*values}) > 1:
            yield key, *values


def measured(every: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    """A row of each metric that one of the runs has, of sizes and of seconds."""
    for name in in_order("metric"):
        facts = metric_facts(name)
        values = [one.get(name) for one in every]
        if any(values):
            yield facts.plain_heading, *map(facts.spread, values)
    yield "forecasts that diverged", *(str(one["diverged_tasks"]) for one in every)
    yield "parameters", *(f"{one['parameters']['base'] + one['parameters']['hypernetwork']:,}" for one in every)
    yield "training, s", *(f"{one['seconds']['training']:.0f}" for one in every)
