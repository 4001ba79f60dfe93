"""How the outer step grows: python scripts/growth.py [--rounds 7]

Processor time of one outer step of the main job, one size at a time from its usual value on, and of the brackets with
the state of a damped chain. Writes growth.csv and growth.png with the slope of each curve, log over log between its
last two points, into outputs/reference/benchmark/.
"""

from __future__ import annotations

import io
import math
import statistics
import sys
import time

from metastruct.runs.arguments import Flags, counted

MAIN = ("system=pendulum", "modulation=svd", "rank=5")
CHAIN = (
    *("system=damped_chain", "modulation=svd", "rank=3", "data.train_tasks=8", "data.test_tasks=1"),
    *("data.trajectories=2", "data.points=50", "data.horizon=1", "data.support_trajectories=1"),
)
OSCILLATORS = (1, 2, 4, 8, 16, 32)
CURVES = {  # name: words, the setting of a size, its values, the size itself where that is another number
    "tasks": (MAIN, "learner.task_batch", (9, 18, 35, 70), None),
    "points": (MAIN, "learner.point_batch", (4, 8, 16, 32, 64), None),
    "width": (MAIN, "net.width", (32, 64, 128, 256), None),
    "rank": (MAIN, "rank", (2, 5, 10, 20, 40), None),
    "replicas": (MAIN, "replicas", (1, 2, 4, 8), None),
    "state, gnode": ((*CHAIN, "bracket=gnode"), "system.oscillators", OSCILLATORS, lambda n: 2 * n + 1),
    "state, nms": ((*CHAIN, "bracket=nms"), "system.oscillators", OSCILLATORS, lambda n: 2 * n + 1),
}


def seconds(words: tuple[str, ...], setting: str, value: int, rounds: int) -> float:
    """Processor seconds of one outer step."""
    from metastruct.benchmark.timing import learner
    from metastruct.learners.replicas import together

    if setting == "replicas":
        made = together([learner(*words, f"seed={seed}") for seed in range(value)])
        made.configure_optimizers()
    else:
        made = learner(*words, f"{setting}={value}")
    times = []
    for number in range(rounds + 2):
        began = time.thread_time()
        for step in range(5):
            made.outer_update(step)
        if number > 1:  # the first records
            times.append((time.thread_time() - began) / 5)
    return statistics.median(times)


def slope(sizes: list[float], times: list[float]) -> float:
    """d log t / d log n between the last two points."""
    return math.log(times[-1] / times[-2]) / math.log(sizes[-1] / sizes[-2])


def main() -> None:
    """Measure all curves, then write the table and the figure."""
    parser = Flags(__doc__)
    parser.add_argument("--rounds", type=counted(), default=7)
    parser.add_argument("--only", default="", help="curves whose name contains this")
    options = parser.parse_args()

    from matplotlib.figure import Figure

    from metastruct.benchmark.record import FOLDER
    from metastruct.runs.files import write_atomically
    from metastruct.runs.provenance import sign
    from metastruct.runs.tables import as_csv

    rows = []
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for name, (words, setting, values, size) in CURVES.items():
        if options.only not in name:
            continue
        sizes = [float(size(value) if size else value) for value in values]
        times = [seconds(words, setting, value, options.rounds) for value in values]
        last = slope(sizes, times)
        for n, t in zip(sizes, times, strict=True):
            rows.append({"curve": name, "size": n, "milliseconds": f"{1e3 * t:.3f}", "slope": f"{last:.2f}"})
        axes.loglog(sizes, [1e3 * t for t in times], marker="o", label=f"{name}: slope {last:.1f}")
        print(f"{name:<14} slope {last:5.2f}  " + "  ".join(f"{1e3 * t:.2f} ms" for t in times), flush=True)
    axes.set(xlabel="size", ylabel="outer step in ms")
    axes.legend(fontsize=7)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=150)
    write_atomically(FOLDER / "growth.csv", as_csv(rows))
    write_atomically(FOLDER / "growth.png", image.getvalue())
    sign(FOLDER, ["scripts/growth.py", *sys.argv[1:]])


if __name__ == "__main__":
    main()
