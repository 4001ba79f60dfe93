"""Print the figures of merit, speed and accuracy, with their bars; needs a checkout of the repository.

metastruct benchmark [--json] [--record] [--only WORD]

Ratios are medians of interleaved timings in one process, on one thread, warm. Whole-process figures start the real
command. Accuracy figures run train.py for every seed; runs that are finished in outputs/ are not repeated.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from metastruct.commands import parsed

PLACES = ()
FLAGS = {"--json": "", "--record": "", "--only": "step"}


def main(words: Sequence[str]) -> None:
    """Measure what is asked for and print it."""
    _, flags = parsed(words, "benchmark", FLAGS, PLACES)
    as_json, record = "--json" in flags, "--record" in flags
    from metastruct.benchmark.figures import figures
    from metastruct.benchmark.record import keep

    chosen = [figure for figure in figures() if flags.get("--only", "") in figure.name]
    if not chosen:
        raise ValueError(f"--only must be part of the name of a figure, got {flags['--only']!r}; leave it out for all")
    measured = {}
    for figure in chosen:
        print(f"measuring: {figure.name} ...", file=sys.stderr, flush=True)
        value = figure.measure()
        holds = figure.holds(value)
        if record:
            keep(figure, value, ["metastruct", "benchmark", *words])
        measured[figure.name] = {"value": value, "bar": figure.bar if figure.has_bar else None, "holds": holds}
        if not as_json:
            line = f"{figure.name:<62} {value:8.2f} {figure.unit:<2} {figure.limit:<18}"
            print(f"{line} {'holds' if holds else 'MISSED'}", flush=True)
    if as_json:
        print(json.dumps(measured, indent=2))
