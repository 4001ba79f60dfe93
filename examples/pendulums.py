"""Writes pendulums.csv and new_pendulum.csv: pendulums of several lengths, as a laboratory might note them down.

dq/dt = p/l^2, dp/dt = -g l sin q for a mass of 1 kg, seen at irregular instants.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

GRAVITY = 9.81  # m/s^2
NEW = 1.05  # length of the new pendulum, which its table does not tell


def write(file: Path, lengths: Mapping[str, float], labels: bool, rng: np.random.Generator) -> None:
    """Four trajectories of each pendulum, by its name; with its length as a label, or without."""
    with open(file, "w", newline="") as opened:
        table = csv.writer(opened, lineterminator="\n")
        table.writerow(["member", "trajectory", "t", "q", "p", "dq", "dp", *(["length"] if labels else [])])
        for name, length in lengths.items():

            def law(_: float, x: np.ndarray, length: float = length) -> list[float]:
                return [x[1] / length**2, -GRAVITY * length * np.sin(x[0])]

            for trajectory in range(4):
                times = rng.uniform(0.03, 0.12, 20).cumsum().round(3)
                start = [rng.uniform(-1.2, 1.2), 0.0]
                states = solve_ivp(law, (0, times[-1]), start, t_eval=times, rtol=1e-9, atol=1e-9).y.T
                for t, x in zip(times, states, strict=True):
                    numbers = [f"{value:.6f}" for value in (*x, *law(t, x))]
                    table.writerow([name, trajectory + 1, t, *numbers, *([length] if labels else [])])


def main(folder: Path = Path(__file__).parent) -> None:
    """Write the files."""
    rng = np.random.default_rng(0)
    lengths = {f"rod {member}": length for member, length in enumerate(rng.uniform(0.3, 1.5, 10).round(3))}
    write(folder / "pendulums.csv", lengths, True, rng)
    write(folder / "new_pendulum.csv", {"new rod": NEW}, False, rng)


if __name__ == "__main__":
    main()
