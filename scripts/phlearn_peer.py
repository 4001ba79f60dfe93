"""The damped and forced mass-spring example of phlearn, as its authors set it: data, training and forecasts.

    PYTHON scripts/phlearn_peer.py FILE [--force known] [--epochs 30]

for a Python that has phlearn (pip install phlearn) and nothing of this project; `scripts/phlearn_example.py` calls it.
Settings are those of its notebook phnn_ode_examples: 30,000 transitions of 30 trajectories over 10 s at 100 Hz, the
midpoint rule, 30 epochs of Adam, nets of 100 units, and the force sin 3t learned as a function of time, or known.
Eklund Sterud and Eidnes 2022, arXiv 2206.02660.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
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

POINTS, HORIZON, STEP, UNITS, TESTS = 30_000, 10.0, 0.01, 100, 10
LAST = np.array([0.0, 1.0])  # the force acts on the momentum


def force(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """That of the example."""
    return torch.sin(3 * t).reshape(x[..., 1:].shape) * torch.as_tensor(LAST, dtype=x.dtype)


def main() -> None:
    """Write the data, the forecasts of new motions and the processor seconds of the training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--force", choices=["learned", "known"], default="learned")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    system = init_msdsystem()
    count, times = npoints_to_ntrajectories_tsample(POINTS, HORIZON, STEP)
    data = generate_dataset(system, count, times, nsamples=POINTS, seed=options.seed)
    system.seed(options.seed)
    states = [system.sample_trajectory(times)[0] for _ in range(count)]
    if options.force == "known":
        forces = {"external_forces_true": force}
    else:
        net = ExternalForcesNN(
            2, 1, hidden_dim=UNITS, timedependent=True, statedependent=False, external_forces_filter=LAST
        )
        forces = {"external_forces_est": net}
    model = PseudoHamiltonianNN(
        2,
        system.skewsymmetric_matrix,
        hamiltonian_est=HamiltonianNN(2, UNITS),
        dissipation_est=R_estimator([False, True]),
        **forces,
    )
    rule = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)
    began = time.process_time()
    model, _ = train(
        model,
        "midpoint",
        data,
        rule,
        epochs=options.epochs,
        batch_size=32,
        shuffle=True,
        verbose=False,
        return_best=True,
    )
    seconds = time.process_time() - began
    system.seed(7)
    truth = np.array([system.sample_trajectory(times)[0] for _ in range(TESTS)])
    forecasts = [model.simulate_trajectory(integrator=False, t_sample=times, x0=path[0])[0] for path in truth]
    np.savez(
        options.file, times=times, states=np.array(states), truth=truth, forecasts=np.array(forecasts), seconds=seconds
    )


if __name__ == "__main__":
    main()
