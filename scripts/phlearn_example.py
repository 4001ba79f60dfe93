"""phlearn's own damped and forced mass-spring example, learned by phlearn and by this project from the same data.

    python scripts/phlearn_example.py --peer PYTHON      a Python that has phlearn (pip install phlearn)
    python scripts/phlearn_example.py --peer PYTHON --files FOLDER      where its data and forecasts are kept

Its data, training and forecasts are those of `scripts/phlearn_peer.py`, with the force learned as a function of time,
as its authors do, and with the force known. Here dynamics=port_hamiltonian is given the force as an input, and
derivatives of a spline through the same states. Errors are |x - x_true|/|x_true| over new motions of 10 s; times are
processor seconds of the training. Writes records.csv and table.md to outputs/reference/phlearn/.
"""

from __future__ import annotations

import subprocess
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

from metastruct.runs.arguments import Flags, counted, placed

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "outputs" / "reference" / "phlearn"


def command_line() -> Namespace:
    """Those of the command line."""
    parser = Flags(__doc__)
    parser.add_argument("--peer", required=True, help="a Python that has phlearn")
    parser.add_argument("--seeds", nargs="+", type=counted(0), default=[1])
    parser.add_argument("--files", type=placed(), default=ROOT / "outputs" / "phlearn")
    return parser.parse_args()


if __name__ == "__main__":
    command_line()  # a mistake is answered before torch is there, which takes seconds

import numpy as np
import torch
from cells import write
from scipy.interpolate import make_interp_spline

import metastruct
from metastruct.runs.lines import markdown

SETTINGS: dict[str, Any] = {  # one member alone: a code has nothing to tell
    "optimizer": "gauss_newton",
    "modulation.code_dim": 1,
    "trainer.accelerator": "cpu",
}
LEARNED, KNOWN, OURS = "phlearn, force learned from time", "phlearn, force known", "port_hamiltonian, force an input"
SHARE = 1 / 3  # of its error, at most


def peer(python: str, force: str, folder: Path, seed: int) -> Any:
    """What phlearn makes of its example; kept."""
    file = folder / f"{force}-{seed}.npz"
    if not file.exists():
        words = [python, str(ROOT / "scripts" / "phlearn_peer.py"), str(file), "--force", force, "--seed", str(seed)]
        subprocess.run(words, check=True)
    return np.load(file)


def ours(data: Any, seed: int, outputs: Path) -> tuple[np.ndarray, float]:
    """Forecasts of the same motions by this project `[motions, times, state]`, and the seconds of its training."""
    times, states = data["times"], data["states"]
    force = np.sin(3 * times)[:, None]
    began = time.process_time()
    slopes = [make_interp_spline(times, path, 7).derivative()(times) for path in states]
    names = ("times", "states", "derivatives", "inputs")
    paths = [dict(zip(names, (times, x, y, force), strict=True)) for x, y in zip(states, slopes, strict=True)]
    family = metastruct.Family.from_arrays({"spring": paths}, states=["q", "p"], inputs=["force"])
    learned = metastruct.fit(family, "port_hamiltonian", settings=SETTINGS, seed=seed, outputs=outputs)
    few, count = slice(None, None, 20), len(states)
    seen = [path[few] for path in states], [slope[few] for slope in slopes]
    member = learned.adapt(*seen, times=[times[few]] * count, inputs=[force[few]] * count)
    seconds = time.process_time() - began
    return np.array([member.rollout(path[0], times, force) for path in data["truth"]]), seconds


def main() -> None:
    """Both on the same data, for each seed."""
    options = command_line()
    options.files.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    rows = []
    for seed in options.seeds:
        learned, known = (peer(options.peer, force, options.files, seed) for force in ("learned", "known"))
        assert np.array_equal(learned["states"], known["states"])
        forecasts, seconds = ours(learned, seed, options.files)
        ways = {LEARNED: (learned["forecasts"], learned["seconds"]), KNOWN: (known["forecasts"], known["seconds"])}
        for way, (paths, taken) in (ways | {OURS: (forecasts, seconds)}).items():
            truth = learned["truth"]
            errors = np.linalg.norm(paths - truth, axis=(1, 2)) / np.linalg.norm(truth, axis=(1, 2))
            figures = {"mean error": errors.mean(), "median error": np.median(errors), "largest error": errors.max()}
            figures |= {"training seconds": float(taken)}
            rows += [{"way": way, "seed": seed, "figure": name, "value": f"{v:.6g}"} for name, v in figures.items()]
    write(FOLDER, rows, table(rows))
    print(table(rows))


def table(rows: list[dict[str, Any]]) -> str:
    """Means over seeds, errors x 1e-2."""
    names = [*dict.fromkeys(row["figure"] for row in rows)]

    def mean(way: str, figure: str) -> float:
        values = [float(row["value"]) for row in rows if (row["way"], row["figure"]) == (way, figure)]
        return float(np.mean(values)) * (100 if "error" in figure else 1)

    body = [[way, *(f"{mean(way, name):.3g}" for name in names)] for way in (LEARNED, KNOWN, OURS)]
    least = min(mean(way, names[0]) for way in (LEARNED, KNOWN))
    note = (
        f"Of the better of phlearn's mean errors, that of this project is {mean(OURS, names[0]) / least:.2g} times it"
    )
    verdict = "at most a third" if mean(OURS, names[0]) <= SHARE * least else "more than a third"
    head = "# phlearn's damped and forced mass-spring example, errors x 1e-2\n\n"
    return head + markdown(["way", *names], body, []) + f"\n{note}: {verdict}.\n"


if __name__ == "__main__":
    main()
