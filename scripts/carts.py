"""Forecasts of carts that MuJoCo simulates (examples/mujoco_cart.py), for the record.

    python scripts/carts.py [--seeds 0 1 2] [--outputs outputs/carts]    everything that is missing
    python scripts/carts.py --measure                                     the tables alone, which need MuJoCo
    python scripts/carts.py ... --folder FOLDER; --merge FOLDER ...       seeds beside each other, and together again

Writes records.csv and table.md to outputs/reference/carts/; a seed draws other carts, motions and noise.
"""

from __future__ import annotations

import statistics
import sys
from argparse import Namespace
from pathlib import Path

from cells import Row, arguments, commit, kept, write

from metastruct.runs.arguments import Flags, counted, placed

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "outputs" / "reference" / "carts"


def command_line() -> Namespace:
    """Those of the command line."""
    parser = Flags(__doc__)
    parser.add_argument("--seeds", nargs="+", type=counted(0), default=[0, 1, 2])
    parser.add_argument("--outputs", type=placed(), default=ROOT / "outputs" / "carts")
    parser.add_argument("--measure", action="store_true", help="make the tables alone")
    arguments(parser, FOLDER)
    return parser.parse_args()


if __name__ == "__main__":
    command_line()  # a mistake is answered before torch is there, which takes seconds

import torch

from metastruct.runs.lines import markdown

BARS = {"noisy start, mean error": "3 %", "coverage of 95 % bars": "90 to 98 %"}
sys.path.insert(0, str(ROOT / "examples"))


def table(rows: list[Row]) -> str:
    """Means over seeds (least, most)."""
    body = []
    for figure in dict.fromkeys(row["figure"] for row in rows):
        values = [float(row["value"]) for row in rows if row["figure"] == figure]
        unit, factor = ("s", 1) if "seconds" in figure else ("%", 100)
        mean, least, most = (f"{factor * f(values):.3g}" for f in (statistics.mean, min, max))
        body.append([figure, f"{mean} {unit} ({least}, {most})", str(len(values)), BARS.get(figure, "")])
    return "# Carts of MuJoCo, forecast for 2 s\n\n" + markdown(["figure", "value", "seeds", "bar"], body, [])


def main() -> None:
    """Make what is missing, one seed after another."""
    import mujoco_cart

    options = command_line()
    torch.set_num_threads(1)
    now, rows = commit(), kept(options, ("seed",))
    for seed in [] if options.merge else options.seeds:
        folder = options.outputs / str(seed)
        if options.measure:
            folder.mkdir(parents=True, exist_ok=True)
            mujoco_cart.measure(folder, seed=seed)
        elif str(seed) not in {row["seed"] for row in rows}:
            figures = mujoco_cart.main(folder=folder, seed=seed)
            common = {"seed": str(seed), "commit": now}
            rows += [{"figure": name, "value": f"{value:.6g}"} | common for name, value in figures.items()]
            print(seed, figures, flush=True)
    if not options.measure:
        rows.sort(key=lambda row: row["seed"])
        write(options.folder, rows, table(rows))


if __name__ == "__main__":
    main()
