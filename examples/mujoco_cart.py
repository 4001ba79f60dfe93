"""Carts with a pole of MuJoCo, pushed at random and seen as (q, v, u) with 1 % noise: from files to forecasts.

    python examples/mujoco_cart.py [--small]

Nothing of MuJoCo's equations is told, and no derivative. A mechanical model is trained by the weak form on some carts,
with other masses, rods and frictions; a new one is seen for 5 s, and 2 s of other motions of it are forecast, from a
start with the same noise and from an exact one. Needs the extra `examples`.
"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import metastruct

CART = """
<mujoco><option timestep="0.002" integrator="RK4"><flag contact="disable"/></option><worldbody>
  <body><joint name="s" type="slide" axis="1 0 0" damping="{friction}"/>
    <geom type="box" size="0.1 0.1 0.05" mass="{cart}"/>
    <body><joint name="q" type="hinge" axis="0 1 0" damping="0.01"/>
      <geom type="capsule" fromto="0 0 0 0 0 -{length}" size="0.02" mass="{pole}"/></body></body>
</worldbody><actuator><motor joint="s"/></actuator></mujoco>"""
RANGES = {"cart": (0.5, 2.0), "pole": (0.1, 0.5), "length": (0.5, 1.0), "friction": (0.05, 0.3)}
STATES, STEP, HELD, NOISE = ("s", "q", "vs", "vq"), 0.01, 0.2, 0.01
SETTINGS: dict[str, Any] = {
    "data.held_inputs": True,
    "dynamics.angles": [1],
    "modulation.code_dim": 4,
    "optimizer": "soap",
    "trainer.steps": 4000,
}
SMALL = {"optimizer": "adam", "trainer.steps": 40, "net.width": 8, "trainer.accelerator": "cpu"}
Motion = tuple[np.ndarray, np.ndarray, np.ndarray]


def motion(cart: dict[str, float], seconds: float, rng: np.random.Generator) -> Motion:
    """Times, states (q, v) and the force at them, held for 0.2 s, of one motion of MuJoCo."""
    import mujoco

    model = mujoco.MjModel.from_xml_string(CART.format(**cart))
    data, stride = mujoco.MjData(model), round(STEP / model.opt.timestep)
    data.qpos[:], data.qvel[:] = rng.uniform(-1, 1, 2) * [0.5, 1.5], rng.uniform(-1, 1, 2)
    states, inputs = [], []
    for sample in range(round(seconds / STEP) + 1):
        if sample % round(HELD / STEP) == 0:
            data.ctrl[:] = rng.uniform(-5, 5)
        states.append([*data.qpos, *data.qvel])
        inputs.append([*data.ctrl])
        mujoco.mj_step(model, data, stride)
    return STEP * np.arange(len(states)), np.array(states), np.array(inputs)


def write(path: Path, carts: list[list[Motion]], deviation: np.ndarray, rng: np.random.Generator) -> None:
    """A table as somebody measures it."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["member", "trajectory", "t", *STATES, "force"])
        for member, every in enumerate(carts):
            for trajectory, (times, states, inputs) in enumerate(every):
                seen = states + deviation * rng.normal(size=states.shape)
                for t, x, u in zip(times, seen, inputs, strict=True):
                    rows.writerow([member, trajectory, f"{t:.6g}", *(f"{v:.7g}" for v in x), f"{u[0]:.7g}"])


def measure(folder: Path, small: bool = False, seed: int = 0) -> None:
    """Simulate by MuJoCo: carts.csv to train on, and new.npz, what is seen of new carts and how they move later."""
    rng = np.random.default_rng(seed)
    members, new, count, length = (3, 1, 2, 2.0) if small else (40, 8, 6, 5.0)
    drawn = [{name: rng.uniform(*ends) for name, ends in RANGES.items()} for _ in range(members + new)]
    carts = [[motion(cart, length, rng) for _ in range(count)] for cart in drawn[:members]]
    deviation = NOISE * np.concatenate([states for every in carts for _, states, _ in every]).std(0)
    write(folder / "carts.csv", carts, deviation, rng)
    support = [motion(cart, length, rng) for cart in drawn[members:]]
    seen = np.array([states + deviation * rng.normal(size=states.shape) for _, states, _ in support])
    later = [motion(cart, 2.0, rng) for cart in drawn[members:] for _ in range(count)]
    truth = np.array([states for _, states, _ in later])
    np.savez_compressed(
        folder / "new.npz",
        deviation=deviation,
        times=support[0][0],
        seen=seen,
        pushes=np.array([inputs for _, _, inputs in support]),
        later=later[0][0],
        truth=truth.reshape(new, count, *truth.shape[1:]),
        starts=(truth[:, 0] + deviation * rng.normal(size=truth[:, 0].shape)).reshape(new, count, -1),
        later_pushes=np.array([inputs for _, _, inputs in later]).reshape(new, count, len(later[0][0]), 1),
    )


def main(
    small: bool = False, folder: Path | None = None, settings: dict[str, Any] | None = None, seed: int = 0
) -> dict[str, float]:
    """Train, adapt and forecast: relative errors of forecasts, and shares that bars of 95 % hold.

    What `measure` left in the folder before is taken as it is, without MuJoCo.
    """
    folder = folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "new.npz").exists():
        measure(folder, small, seed)
    family = metastruct.Family.from_files(folder / "carts.csv", STATES, inputs=["force"])
    chosen = SETTINGS | (SMALL if small else {}) | (settings or {})
    began = time.process_time()
    learned = metastruct.fit(
        family, "mechanical", seed=seed, settings=chosen, outputs=folder / "outputs", progress=not small
    )
    seconds, new = time.process_time() - began, np.load(folder / "new.npz")
    errors, inside = {"noisy": [], "exact": []}, []
    for number, seen in enumerate(new["seen"]):
        member = learned.adapt(seen, times=new["times"], inputs=new["pushes"][number])
        motions = zip(new["truth"][number], new["starts"][number], new["later_pushes"][number], strict=True)
        for states, start, pushes in motions:
            path, std = member.forecast(start, new["later"], std=True, inputs=pushes, start_std=new["deviation"])
            exact = member.forecast(states[0], new["later"], inputs=pushes)
            for name, forecast in {"noisy": path, "exact": exact}.items():
                errors[name].append(np.linalg.norm(forecast - states) / np.linalg.norm(states))
            inside.append((np.abs(path - states) <= 1.96 * std)[1:].mean())
    figures = {f"{name} start, mean error": float(np.mean(values)) for name, values in errors.items()}
    figures |= {f"{name} start, median error": float(np.median(values)) for name, values in errors.items()}
    figures |= {f"{name} start, largest error": float(np.max(values)) for name, values in errors.items()}
    return figures | {"coverage of 95 % bars": float(np.mean(inside)), "training seconds": seconds}


if __name__ == "__main__":
    for name, value in main(small="--small" in sys.argv).items():
        print(f"{name:<26}", f"{value:.0f}" if "seconds" in name else f"{100 * value:.2f} %")
