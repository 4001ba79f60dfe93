"""Writes examples/pendulums.csv: pendulums of several lengths, as a laboratory might have written them down.

dq/dt = p/l^2, dp/dt = -g l sin q for a mass of 1 kg, seen at irregular instants.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

GRAVITY = 9.81  # m/s^2


def main() -> None:
    """Write the file."""
    rng = np.random.default_rng(0)
    with open(Path(__file__).with_suffix(".csv"), "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["member", "trajectory", "t", "q", "p", "dq", "dp", "length"])
        for member, length in enumerate(rng.uniform(0.3, 1.5, 10).round(3)):

            def law(_: float, x: np.ndarray, length: float = length) -> list[float]:
                return [x[1] / length**2, -GRAVITY * length * np.sin(x[0])]

            for trajectory in range(4):
                times = rng.uniform(0.03, 0.12, 20).cumsum().round(3)
                start = [rng.uniform(-1.2, 1.2), 0.0]
                states = solve_ivp(law, (0, times[-1]), start, t_eval=times, rtol=1e-9, atol=1e-9).y.T
                for t, x in zip(times, states, strict=True):
                    numbers = [f"{value:.6f}" for value in (*x, *law(t, x))]
                    table.writerow([f"rod {member}", trajectory + 1, t, *numbers, length])


if __name__ == "__main__":
    main()
