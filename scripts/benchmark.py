"""Print the figures of merit: python scripts/benchmark.py [--json] [--record] [--only WORD]

Ratios are medians of interleaved timings in one process, on one thread, warm. Whole-process figures start the real
command. Accuracy figures run `train.py` for every seed; runs that are finished in outputs/ are not repeated.
"""

from __future__ import annotations

import argparse
import json
import sys


def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object: name -> value, bar, holds")
    parser.add_argument("--only", default="", help="measure the figures whose name contains this")
    parser.add_argument("--record", action="store_true", help="keep them in outputs/reference/benchmark/, too")
    options = parser.parse_args()

    from metastruct.benchmark.figures import figures
    from metastruct.benchmark.record import keep

    chosen = [figure for figure in figures() if options.only in figure.name]
    if not chosen:
        parser.error(f"--only must be part of the name of a figure, got {options.only!r}; a run without it names all")
    measured = {}
    for figure in chosen:
        print(f"measuring: {figure.name} ...", file=sys.stderr, flush=True)
        value = figure.measure()
        holds = figure.holds(value)
        if options.record:
            keep(figure, value, ["scripts/benchmark.py", *sys.argv[1:]])
        measured[figure.name] = {"value": value, "bar": figure.bar if figure.has_bar else None, "holds": holds}
        if not options.json:
            told = f"{figure.name:<62} {value:8.2f} {figure.unit:<2} {figure.limit:<18}"
            print(f"{told} {'holds' if holds else 'MISSED'}", flush=True)
    if options.json:
        print(json.dumps(measured, indent=2))


if __name__ == "__main__":
    main()
