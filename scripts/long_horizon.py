"""Energy and trajectories of adapted Hamiltonian members over 100 periods, per integrator and cost.

python scripts/long_horizon.py RUN_FOLDER ... [--steps 20 40 80] [--periods 100] [--trajectories 2]

Studies runs of your own; `python scripts/reproduce.py table=long_horizon` makes the table of record. What is measured
already is not measured again. Rows, table and figure go to outputs/long_horizon/.
"""

from __future__ import annotations

from pathlib import Path

from metastruct.config.facts import options
from metastruct.runs.arguments import Flags, counted, existing, placed

OUTPUT = Path(__file__).resolve().parents[1] / "outputs" / "long_horizon"
INTEGRATORS = options("integrator")


def main() -> None:
    """Measure what is missing, then write the table and print it."""
    parser = Flags(__doc__)
    parser.add_argument("runs", nargs="+", type=existing, help="folders of finished runs")
    parser.add_argument(
        "--steps", nargs="+", type=counted(), default=[20, 40, 80], help="steps a period; 0.618 is added"
    )
    parser.add_argument("--periods", type=counted(), default=100)
    parser.add_argument("--trajectories", type=counted(), default=2, help="of each test task, from its query starts")
    parser.add_argument("--integrators", nargs="+", choices=INTEGRATORS, default=INTEGRATORS)
    parser.add_argument("--output", type=placed(), default=OUTPUT, help="where table and figure go")
    options = parser.parse_args()

    from metastruct.paper.long_horizon.study import LongHorizon
    from metastruct.runs.folder import RunFolder

    runs = [RunFolder(path) for path in options.runs]
    for run in runs:
        if run.finished() is None:
            parser.error(f"{run.path} must be the folder of a finished run, got another; train.py prints it at its end")
    study = LongHorizon(options.integrators, options.steps, options.periods, options.trajectories)
    if not study.study(runs, OUTPUT / "cells", options.output):
        raise SystemExit(1)  # with the reasons above
    print((options.output / "table.md").read_text())


if __name__ == "__main__":
    main()
