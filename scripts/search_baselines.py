"""Search the settings of the methods: python scripts/search_baselines.py --minutes 60

Every method gets the same budget, gradient evaluations x points of the meta-training, by default that of the main job,
and is judged on training tasks that are held out of its training: test tasks are never looked at. Trial 0 of a method
is its yaml as it stands, the others are drawn at random; all are screened at a share of the budget, and the best go on
to the whole of it on several seeds. Methods without a training differ in their adaptation alone. The modulations share
their trials, and the finalists are those that are best for all of them together.

records.csv holds one row for each trial and adaptation; an attempt whose rows are there is not repeated, so the search
goes on where it was stopped; begin in a new folder after a change of the yamls. chosen.json holds the best settings of
each method as overrides for train.py.
"""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path

from metastruct.config.facts import headline_errors, metric_facts
from metastruct.config.mistakes import closest
from metastruct.config.schema import groups
from metastruct.paper.search.ranking import Extent, choose, next_attempt, read
from metastruct.paper.search.space import BASELINES, METHODS
from metastruct.paper.search.trial import rows_of
from metastruct.runs.arguments import Flags, counted, numbered, placed
from metastruct.runs.files import locked, write_atomically
from metastruct.runs.provenance import sign
from metastruct.runs.tables import as_csv

ROOT = Path(__file__).resolve().parents[1]
MAIN_JOB = 12_000 * 70 * 16  # outer steps x tasks x points of auto-decoding by default


def main() -> None:
    """Search in turn over the methods until the time is up or everything is done."""
    parser = Flags(__doc__)
    parser.add_argument("--minutes", type=numbered(), default=math.inf, help="begin no attempt after this time")
    parser.add_argument("--system", default="pendulum")
    parser.add_argument("--methods", default=",".join(BASELINES), help=f"comma-separated, of {', '.join(METHODS)}")
    parser.add_argument("--trials", type=counted(), default=16, help="trials of each method that are screened")
    parser.add_argument(
        "--finalists", type=counted(), default=3, help="of them, taken to the whole budget on every seed"
    )
    parser.add_argument("--screen", type=numbered(), default=0.1, help="share of the budget that screening takes")
    parser.add_argument(
        "--budget", type=counted(), default=MAIN_JOB, help="gradient evaluations x points of a training"
    )
    parser.add_argument("--output", type=placed(), default=ROOT / "outputs" / "reference" / "search")
    options = parser.parse_args()
    methods = options.methods.split(",")
    if unknown := set(methods) - set(METHODS):
        parser.error(f"--methods takes {', '.join(METHODS)}, got {', '.join(sorted(unknown))}")
    if options.system not in (known := groups()["system"]):
        parser.error(f"--system {options.system} is not known; {closest(options.system, known)}")
    extent = Extent(options.trials, options.finalists, options.screen, options.budget)
    errors = {name: metric_facts(name) for name in headline_errors()}
    path, deadline = options.output / "records.csv", time.monotonic() + 60 * options.minutes
    rows, busy = read(path), True
    while busy:
        busy = False
        for method in methods:
            attempt = next_attempt(rows, options.system, method, extent)
            if attempt is None or time.monotonic() > deadline:
                continue
            busy = True
            found = list(rows_of(attempt, str(ROOT / "outputs")))
            with locked(options.output, lambda: None):  # another search may have written meanwhile
                rows = read(path)
                rows += [row for row in found if attempt not in {other.attempt for other in rows}]
                write_atomically(path, as_csv([row.line for row in rows]))
            best = min(found, key=lambda row: row.score)
            print(
                f"{method} trial {attempt.trial} seed {attempt.seed}, {best.steps} outer steps, {best.seconds:.0f} s: "
                f"{', '.join(f'{facts.short} {facts.text(best.errors[name])}' for name, facts in errors.items())}, "
                f"{best.diverged} diverged  {best.training} | {best.adaptation}",
                file=sys.stderr,
                flush=True,
            )
    if not rows:
        sys.exit("error: nothing was searched yet; give it more --minutes")
    write_atomically(options.output / "chosen.json", json.dumps(choose(rows), indent=2) + "\n")
    sign(options.output, ["scripts/search_baselines.py", *sys.argv[1:]])


if __name__ == "__main__":
    main()
