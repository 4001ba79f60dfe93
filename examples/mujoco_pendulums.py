"""Pendulums and cart-poles of MuJoCo, which this project did not simulate: other masses and lengths, one model.

    python examples/mujoco_pendulums.py [pendulum|cart_pole] [--small]

MuJoCo integrates rods on hinges; states are its joint positions q and momenta p = M(q) v, seen with noise, and nothing
of its equations is told. A model is trained on some members, adapts to others from a few trajectories, and forecasts
the rest of them: examples/mujoco_pendulum.png. Needs the extra `examples`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

import metastruct

PENDULUM = """
<mujoco><option timestep="0.002" integrator="RK4"><flag contact="disable"/></option><worldbody>
  <body><joint name="q" type="hinge" axis="0 1 0"/>
    <geom type="capsule" fromto="0 0 0 0 0 -{length}" size="0.02" mass="{mass}"/></body>
</worldbody></mujoco>"""
CART_POLE = """
<mujoco><option timestep="0.002" integrator="RK4"><flag contact="disable"/></option><worldbody>
  <body><joint name="x" type="slide" axis="1 0 0" stiffness="4"/><geom type="box" size="0.1 0.1 0.05" mass="1"/>
    <body><joint name="q" type="hinge" axis="0 1 0"/>
      <geom type="capsule" fromto="0 0 0 0 0 -{length}" size="0.02" mass="{mass}"/></body></body>
</worldbody></mujoco>"""
MODELS = {"pendulum": (PENDULUM, ["q", "p"]), "cart_pole": (CART_POLE, ["x", "q", "p_x", "p_q"])}
NOISE = 0.002
SMALL = {"optimizer": "adam", "trainer.steps": 60, "net.width": 8, "trainer.accelerator": "cpu"}


def trajectories(model: str, mass: float, length: float, count: int, samples: int, rng: np.random.Generator) -> list:
    """`(t, x, dx/dt)` of one member, dx/dt by central differences of MuJoCo's steps."""
    import mujoco

    simulated = mujoco.MjModel.from_xml_string(MODELS[model][0].format(mass=mass, length=length))
    data, every = mujoco.MjData(simulated), []
    stride = round(0.05 / simulated.opt.timestep)
    for _ in range(count):
        mujoco.mj_resetData(simulated, data)
        data.qpos[:] = rng.uniform(-0.8, 0.8, simulated.nq) * ([1.0] if simulated.nq == 1 else [0.2, 1.0])
        path = []
        for _ in range(samples * stride + 2):
            momenta = np.zeros(simulated.nv)
            mujoco.mj_forward(simulated, data)
            mujoco.mj_mulM(simulated, data, momenta, data.qvel)
            path.append([*data.qpos, *momenta])
            mujoco.mj_step(simulated, data)
        states = np.array(path)
        slopes = (states[2:] - states[:-2])[::stride] / (2 * simulated.opt.timestep)
        seen = states[1:-1][::stride]
        every.append(
            {
                "times": 0.05 * np.arange(len(seen)),
                "states": seen + NOISE * rng.normal(size=seen.shape),
                "derivatives": slopes,
            }
        )
    return every


def main(model: str = "pendulum", small: bool = False, folder: Path | None = None) -> float:
    """Train, adapt, forecast and draw; the median forecast error over the spread of the family."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rng, names = np.random.default_rng(0), MODELS[model][1]
    members, count, samples = (4, 2, 30) if small else (24, 5, 100)
    labels = {"mass": rng.uniform(0.3, 1.5, members), "length": rng.uniform(0.4, 1.2, members)}
    seen = {
        f"rod {number}": trajectories(model, *pair, count, samples, rng)
        for number, pair in enumerate(zip(*labels.values(), strict=True))
    }
    family = metastruct.Family.from_arrays(seen, names, labels=labels)
    folder = folder or Path(tempfile.mkdtemp())
    learned = metastruct.fit(
        family, "hamiltonian", settings=SMALL if small else {}, outputs=folder / "outputs", progress=not small
    )
    spread = np.concatenate([one["states"] for every in seen.values() for one in every]).std(0)
    figure, axes = plt.subplots(3, 1, figsize=(7, 6), layout="constrained")
    errors = []
    for axis, mass, length in zip(axes, (0.5, 0.8, 1.2), (1.1, 0.6, 0.9), strict=True):
        new = trajectories(model, mass, length, 3, samples, rng)
        member = learned.adapt(
            *([one[part] for one in new[:2]] for part in ("states", "derivatives")),
            times=[one["times"] for one in new[:2]],
        )
        times, states = new[2]["times"], new[2]["states"]
        path, std = member.forecast(states[0], times, std=True, start_std=np.full(len(names), NOISE))
        errors.append(float(np.sqrt(np.square((path - states) / spread).mean())))
        angle = names.index("q")
        band = 1.96 * np.hypot(std[:, angle], NOISE)
        axis.fill_between(times, path[:, angle] - band, path[:, angle] + band, alpha=0.3, color="#d1495b", linewidth=0)
        axis.plot(times, path[:, angle], color="#d1495b", label="forecast, 95 %")
        axis.plot(times, states[:, angle], "k.", ms=3, label="MuJoCo")
        axis.set(ylabel="angle", title=f"{mass} kg, {length} m: error {100 * errors[-1]:.1f} % of the spread")
    axes[0].legend(frameon=False)
    axes[-1].set_xlabel("t (s)")
    figure.savefig((folder if small else Path(__file__).parent) / f"mujoco_{model}.png", dpi=120)
    plt.close(figure)
    return float(np.median(errors))


if __name__ == "__main__":
    chosen = [word for word in sys.argv[1:] if not word.startswith("-")]
    print(f"median forecast error / spread: {main(*chosen[:1], small='--small' in sys.argv):.4f}")
