"""Phlearn's own KdV example beside this project on the same data.

    python scripts/phlearn_kdv.py --peer PYTHON [--seeds 3]     an interpreter that has phlearn (pip install phlearn)

The example of Eidnes and Lye (2023): 20 pairs of states 0.05 apart, of two solitons on a ring of length 20 with 100
points; 1,000 epochs of their Hamiltonian net; then a start that was not seen, followed to t = 2. Both fit
(u_1 - u_0)/dt = f((u_0 + u_1)/2). Writes records.csv and table.md into outputs/reference/phlearn_kdv/.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).resolve().parents[1] / "outputs" / "reference" / "phlearn_kdv"
SITES, LENGTH, DT, PAIRS, EPOCHS = 100, 20.0, 0.05, 20, 1000
X = np.arange(SITES) * LENGTH / SITES
TIMES = np.linspace(0, 2, 201)
WORDS = (
    *("system=kdv", f"system.sites={SITES}", "system.spacing=0.2", "net.spacing=0.2", "data.train_tasks=1"),
    *("learner.point_batch=20", "modulation=shift", "modulation.code_dim=1", "trainer.accelerator=cpu"),
)


def peer(seed: int, path: Path) -> None:
    """Their data, their net, their rollout and the truth, under an interpreter that has phlearn."""
    import phlearn.phnns as phnn
    import torch
    from phlearn.phsystems.pde import KdVSystem

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    system = KdVSystem(x=X)
    system.seed(seed)
    data = phnn.generate_dataset(system, PAIRS, np.array([0.0, DT]), xspatial=X)
    model = phnn.PseudoHamiltonianPDENN(SITES, [1, 3, 0, 0])
    began = time.process_time()
    model, _ = phnn.train(model, integrator="midpoint", traindata=data, epochs=EPOCHS, batch_size=32, verbose=False)
    seconds = time.process_time() - began
    start = sum(2 * k**2 / np.cosh(k * (X - LENGTH * d)) ** 2 for k, d in ((1.0, 0.25), (0.75, 0.5)))
    true, *_ = system.sample_trajectory(TIMES, x0=start)
    learned, _ = model.simulate_trajectory(integrator=False, t_sample=TIMES, x0=start, xspatial=X)
    before, after = (np.asarray(each, dtype=float).reshape(-1, SITES) for each in data[0][:2])
    np.savez(path, before=before, after=after, true=true, learned=learned, seconds=seconds)


def ours(seed: int, content: Any, words: tuple[str, ...]) -> tuple[np.ndarray, float]:
    """The rollout `[times, sites]` and processor seconds of a training on the same pairs."""
    import torch

    from metastruct.config.schema import composed
    from metastruct.data.recordings import Recordings
    from metastruct.data.trajectory import Member, Trajectory
    from metastruct.integrators.rk4 import RK4
    from metastruct.integrators.rollout import rollout
    from metastruct.running.assembly import build_learner
    from metastruct.running.run import Run

    torch.set_num_threads(1)
    before, after = content["before"], content["after"]
    middle, slope = (before + after) / 2, (after - before) / DT
    member = Member((Trajectory(np.arange(len(middle)) * 1.0, middle, slope),))
    config = Run.of(composed(*WORDS, *words, f"seed={seed}")).config
    learner: Any = build_learner(config, Recordings([member], torch.float32))
    learner.configure_optimizers()
    began = time.process_time()
    for step in range(config.trainer.steps or 0):
        learner.outer_update(step)
    seconds = time.process_time() - began
    model = learner.model.double()
    with torch.no_grad():
        flow = model.dynamics.flow(model.modulation(learner.codes.double()))
    start = torch.from_numpy(content["true"][0])[None, None]
    return rollout(flow, start, torch.from_numpy(TIMES), RK4(0.002))[0, 0].numpy(), seconds


def main() -> None:
    """Compare all seeds."""
    if sys.argv[1:2] == ["--as-peer"]:  # where this project is not
        return peer(int(sys.argv[2]), Path(sys.argv[3]))
    from metastruct.runs.arguments import Flags, counted

    parser = Flags(__doc__)
    parser.add_argument("--peer", required=True, help="interpreter that has phlearn")
    parser.add_argument("--seeds", type=counted(), default=3)
    parser.add_argument("words", nargs="*", default=["trainer.steps=2000"], help="of train.py")
    options = parser.parse_args()
    from cells import write

    from metastruct.runs.lines import markdown

    rows: list[dict[str, Any]] = []
    for seed in range(options.seeds):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "peer.npz"
            subprocess.run([options.peer, __file__, "--as-peer", str(seed), str(path)], check=True, capture_output=True)
            content = dict(np.load(path))
        learned, seconds = ours(seed, content, tuple(options.words))
        for name, paths, taken in (
            ("phlearn", content["learned"], float(content["seconds"])),
            ("metastruct", learned, seconds),
        ):
            error = float(np.linalg.norm(paths - content["true"]) / np.linalg.norm(content["true"]))
            rows.append({"seed": seed, "method": name, "trajectory_error": error, "seconds": taken})
            print(rows[-1], flush=True)
    lines = [
        [
            name,
            *(
                " ".join(f"{r[key]:.3g}" for r in rows if r["method"] == name)
                for key in ("trajectory_error", "seconds")
            ),
        ]
        for name in ("phlearn", "metastruct")
    ]
    head = ["method", "relative error to t = 2, a number a seed", "processor seconds of training"]
    write(FOLDER, rows, "# Phlearn's KdV example\n\n" + markdown(head, lines, []))


if __name__ == "__main__":
    main()
