# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Your own data
#
# States as a laboratory measures them: noisy, at instants of its own, without derivatives. Here springs of unknown
# stiffness are simulated by scipy; put arrays or a table of yours in their place ([the
# format](../measured_data.md)).

# %%
import numpy as np
from scipy.integrate import solve_ivp

import metastruct

rng = np.random.default_rng(0)


def spring(t, x, stiffness):
    """dx/dt of x = (q, p) `[2]`."""
    return [x[1], -stiffness * x[0]]


def measured(stiffness):
    """Four trajectories of one spring, each `(t, x)` with times `[instants]` and states `[instants, 2]`."""
    for _ in range(4):
        times = np.sort(rng.uniform(0, 8, instants))
        start = rng.uniform(-1, 1, 2)
        path = solve_ivp(spring, (0, 8), start, t_eval=times, args=[stiffness], rtol=1e-9, atol=1e-9)
        yield times, path.y.T + 0.01 * rng.normal(size=(instants, 2))


count = 14  # in small: 4
instants = 160  # in small: 80
stiffness = {f"spring {number}": rng.uniform(0.5, 2) for number in range(count)}
family = metastruct.Family.from_arrays(
    {name: [*measured(k)] for name, k in stiffness.items()},
    states=["q", "p"],
    units={"t": "s", "q": "m", "p": "kg m/s"},
)
family

# %%
import matplotlib.pyplot as plt

family.plot()
plt.show()
# %% [markdown]
# What is there and what may be wrong with it, as `metastruct inspect FILE` prints it:

# %%
from metastruct.data.description import COMPONENTS, components, warnings

for row in (COMPONENTS, *components(family)):
    print(*(f"{cell:>9}" for cell in row))
print(*[*warnings(family)] or ["nothing looks wrong"], sep="\n")

# %% [markdown]
# Without derivatives, the weak form takes them off the data; with noise, `soap` is the optimizer. That springs are
# Hamiltonian in (q, p) is our claim. Two springs are held out.

# %%
model = metastruct.fit(
    family,
    dynamics="hamiltonian",
    test=[f"spring {count - 2}", f"spring {count - 1}"],
    steps=2000,
    progress=False,
    settings={"objective": "weak", "optimizer": "soap", "locality": "none", "modulation.code_dim": 2},
)
model

# %%
first, second, *others = family.members[-1].trajectories
member = model.adapt(first.states, times=first.times)
member

# %% [markdown]
# The second trajectory, which the member has not seen, forecast with a band of two standard deviations of the path;
# dots are what was measured.

# %%
path, std = member.forecast(second.states[0], second.times, std=True, start_std=[0.01, 0.01])
plt.fill_between(second.times, *(path[:, 0] + side * std[:, 0] for side in (-2, 2)), alpha=0.3)
plt.plot(second.times, second.states[:, 0], "k.", markersize=3)
plt.xlabel("t (s)")
plt.ylabel("q (m)")
plt.show()
# %% [markdown]
# Keep it in a file that needs no run:

# %%
path = member.save("spring.safetensors")
metastruct.load_member(path)

# %% [markdown]
# Next: [error bars](error_bars), [the format and what is done to a table](../measured_data.md), or
# [states that are positions and velocities](../mechanics.md).
