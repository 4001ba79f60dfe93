"""A new pendulum's portrait closes in as observations come: python scripts/closing_in.py RUN [--output FILE.gif]

RUN is a folder that `python train.py system=pendulum` left. Energy levels of the learned pendulum, from 1 to 64
observations, over those of the law; the run did not see this member, and observations of it have noise.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter

import metastruct
from metastruct.data.draws import drawn
from metastruct.running.assembly import component
from metastruct.runs.arguments import Flags, existing, placed

OUTPUT = Path(__file__).resolve().parents[1] / "docs" / "static" / "closing_in.gif"
COUNTS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
MEMBER, SEED = 0, 7  # a stranger to the run, whose data have the seed 0
NOISE = 0.15  # of the spread of each component
LEVELS = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
TRUE, LEARNED, SEEN = "0.75", "#d1495b", "#222222"


def main() -> None:
    """Adapt to more and more observations, and draw a frame of each."""
    parser = Flags(__doc__)
    parser.add_argument("run", type=existing, help="folder of a run of the pendulum")
    parser.add_argument("--output", type=placed(False), default=OUTPUT, help="the picture")
    options = parser.parse_args()
    model = metastruct.load(options.run)
    law = component(model.settings.system)
    mu, starts = drawn(law, 1, MEMBER + 1, max(COUNTS), SEED)
    mu, x = mu[MEMBER:], starts[MEMBER:]
    (low, high) = law.cap_box(mu)[0].T
    axes = [np.linspace(a, b, 120) for a, b in zip(low, high, strict=True)]
    plane = np.stack(np.meshgrid(*axes), -1)
    top = law.energy_cap(mu)[0]
    true = law.energy(plane.reshape(1, -1, 2), mu).reshape(plane.shape[:-1])
    slopes = law.vector_field(x, mu)
    noise, slope_noise = (NOISE * values.std(axis=(0, 1)) for values in (x, slopes))
    rng = np.random.default_rng(SEED)
    x, slopes = x + noise * rng.normal(size=x.shape), slopes + slope_noise * rng.normal(size=x.shape)
    figure, ax = plt.subplots(figsize=(4.6, 3.4), dpi=90, layout="constrained")

    def frame(number: int) -> None:
        count = COUNTS[min(number, len(COUNTS) - 1)]
        ax.clear()
        ax.contour(*axes, true, levels=LEVELS * top, colors=TRUE, linewidths=4)
        if count:
            seen = x[0, :count]
            observed = {"states": seen, "dxdt": slopes[0, :count], "noise": noise, "dxdt_noise": slope_noise}
            member = model.adapt_many([observed])[0]
            rest = [float(mu[0, -1]), 0.0]
            learned = member.energy(plane) - member.energy(rest)
            ax.contour(*axes, learned, levels=LEVELS * top, colors=LEARNED, linewidths=1.2)
            ax.plot(*seen.T, ".", color=SEEN, markersize=5)
        ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xlabel="angle q", ylabel="momentum p")
        ax.set_title(f"a new pendulum, {count} noisy observation{'' if count == 1 else 's'}", fontsize=10)

    FuncAnimation(figure, frame, len(COUNTS) + 3, init_func=lambda: []).save(options.output, PillowWriter(fps=2))
    print(f"{options.output}, {options.output.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
