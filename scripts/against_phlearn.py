"""phlearn's own example of a mass, a spring, a damper and a force of time, learned by phlearn and by this project.

    python scripts/against_phlearn.py [--seeds 0 1 2]

The data are those that phlearn makes: 30 trajectories of 10 time units at 100 samples each, states alone. phlearn has
the settings of its notebook phnn_ode_examples: a net of the energy, one of the force, a damping, 30 epochs. Here a
port-Hamiltonian model of one member gets hats in time as inputs, whose weights are the unknown force; neither is told
its frequency. Errors are relative, |x^ - x|/|x| over 10 time units, of 10 new starts. Needs phlearn (pip), which no
extra installs. Records and table in outputs/reference/phlearn/.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.integrate import solve_ivp

import metastruct
from metastruct.runs.files import write_atomically
from metastruct.runs.lines import markdown
from metastruct.runs.provenance import git_commit, sign
from metastruct.runs.tables import as_csv

FOLDER = Path(__file__).resolve().parents[1] / "outputs" / "reference" / "phlearn"
POINTS, HORIZON, STEP, FREQUENCY, DAMPING, HATS, NEW = 30_000, 10.0, 0.01, 3.0, 0.3, 101, 10
SETTINGS: dict[str, Any] = {
    "modulation": "shift",
    "modulation.code_dim": 1,
    "dynamics.friction": "constant",
    "objective.half_width": 8,  # a wide test function does not see what a hat does inside of it
    "trainer.steps": 4000,
    "optimizer": "soap",
    "locality": "none",
    "net.width": 32,
}


def theirs(seed: int) -> tuple[Any, np.ndarray, float]:
    """phlearn's model, the states `[trajectories, times, 2]` that it was trained on, and its processor seconds."""
    from phlearn.phnns import (
        ExternalForcesNN,
        HamiltonianNN,
        PseudoHamiltonianNN,
        R_estimator,
        generate_dataset,
        npoints_to_ntrajectories_tsample,
        train,
    )
    from phlearn.phsystems.ode import init_msdsystem

    system, ends = init_msdsystem(), np.array([0.0, 1.0])
    system.seed(seed + 1)
    torch.manual_seed(seed)
    torch.set_default_dtype(torch.float32)
    count, times = npoints_to_ntrajectories_tsample(POINTS, HORIZON, STEP)
    data = generate_dataset(system, count, times, False, nsamples=POINTS, noise_std=0.0)
    force = ExternalForcesNN(
        2, 1, hidden_dim=100, timedependent=True, statedependent=False, external_forces_filter=ends
    )
    energy, damping = HamiltonianNN(2, 100), R_estimator([False, True])
    model = PseudoHamiltonianNN(
        2,
        system.skewsymmetric_matrix,
        hamiltonian_est=energy,
        dissipation_est=damping,
        external_forces_est=force,
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)
    began = time.process_time()
    model, _ = train(
        model, "midpoint", data, optimizer, epochs=30, batch_size=32, shuffle=True, loss_fn=torch.nn.MSELoss(),
        verbose=False, return_best=True,
    )  # fmt: skip
    return model, data, time.process_time() - began


def hats(times: np.ndarray) -> np.ndarray:
    """Inputs `[times, HATS]`: a basis of the functions of time that are straight between equal knots."""
    knots = np.linspace(0, HORIZON, HATS)
    return np.stack([np.interp(times, knots, one) for one in np.eye(HATS)], axis=-1)


def ours(states: np.ndarray, seed: int) -> tuple[Any, float]:
    """The one member of a port-Hamiltonian training on these states, and its processor seconds."""
    times = STEP * np.arange(states.shape[1])
    every = [{"times": times, "states": x, "inputs": hats(times)} for x in states]
    names = [f"hat{number}" for number in range(HATS)]
    family = metastruct.Family.from_arrays([every], ["q", "p"], inputs=names)
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        model = metastruct.fit(family, "port_hamiltonian", seed=seed, settings=SETTINGS, outputs=folder, progress=False)
    member = model.adapt([x for x in states], times=[times] * len(states), inputs=[hats(times)] * len(states))
    return member, time.process_time() - began


def main() -> None:
    """Train both on the data of each seed, roll out from new starts, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options = parser.parse_args()
    torch.set_num_threads(1)
    place = FOLDER / "records.csv"
    rows: list[dict[str, Any]] = list(csv.DictReader(place.open(newline=""))) if place.exists() else []
    for seed in options.seeds:
        if any(row["seed"] == str(seed) for row in rows):
            continue
        network, data, seconds = theirs(seed)
        first, second = (part.numpy().reshape(-1, 1000, 2) for part in data[0][:2])
        states = np.concatenate([first, second[:, -1:]], axis=1).astype(float)
        member, our_seconds = ours(states, seed)
        rng, times = np.random.default_rng([seed, 7]), STEP * np.arange(1001)
        errors: dict[str, list[float]] = {"phlearn": [], "metastruct": []}
        for _ in range(NEW):
            angle, radius = 2 * np.pi * rng.uniform(), 1 + 3.5 * np.sqrt(rng.uniform())
            start = radius * np.array([np.cos(angle), np.sin(angle)])
            law = lambda t, x: [x[1], -x[0] - DAMPING * x[1] + np.sin(FREQUENCY * t)]  # noqa: E731
            truth = solve_ivp(law, (0, HORIZON), start, t_eval=times, rtol=1e-10, atol=1e-12).y.T
            path, _ = network.simulate_trajectory(integrator=False, t_sample=times, x0=start)
            forecasts = {"phlearn": path, "metastruct": member.rollout(start, times, hats(times))}
            for name, forecast in forecasts.items():
                errors[name].append(float(np.linalg.norm(forecast - truth) / np.linalg.norm(truth)))
        for name, spent in {"phlearn": seconds, "metastruct": our_seconds}.items():
            mean, median = np.mean(errors[name]), np.median(errors[name])
            row = {"seed": str(seed), "package": name, "mean error": f"{mean:.6g}", "median error": f"{median:.6g}"}
            rows.append(row | {"processor seconds": f"{spent:.0f}", "commit": git_commit()[:12]})
            print(*rows[-1].values(), sep="  ", flush=True)
        write_atomically(place, as_csv(rows))
    heads = [*rows[0]][:-1]
    body = [[row[head] for head in heads] for row in rows]
    title = "# phlearn's damped and forced mass and spring\n\nRelative errors over 10 time units, 10 new starts.\n\n"
    write_atomically(FOLDER / "table.md", title + markdown(heads, body, []))
    sign(FOLDER, ["scripts/against_phlearn.py"])


if __name__ == "__main__":
    main()
