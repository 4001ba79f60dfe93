# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Quickstart
#
# Ten pendulums of lengths that no model is told, measured at irregular instants: a family in a file, a model of it,
# and a member that the model has never seen.

# %%
import numpy as np

import metastruct

family = metastruct.Family.from_files(
    "../../examples/pendulums.csv", states=["q", "p"], labels=["length"], units={"t": "s", "q": "rad"}
)
family

# %%
import matplotlib.pyplot as plt

family.plot()
plt.show()
# %% [markdown]
# One colour a rod, one line a trajectory.
#
# The columns `dq` and `dp` hold derivatives, so the model is trained on them. `rod 1` and `rod 7` are held out. A
# code of two numbers is enough where one number, the length, tells members apart.

# %%
model = metastruct.fit(
    family,
    dynamics="hamiltonian",
    test=["rod 1", "rod 7"],
    progress=False,
    settings={"modulation.code_dim": 2},
)
model

# %% [markdown]
# The new rod: its code is fitted to its first two trajectories, the network stays as it is.

# %%
first, second, third, fourth = family.members[7].trajectories
member = model.adapt([first.states, second.states], [first.derivatives, second.derivatives])
member

# %% [markdown]
# The code stands with its standard deviations. The p value says how often a rod of this family would leave as large a
# residual: below 0.01 a warning says that it is none of them.
#
# Its third trajectory, forecast from the first observation: dots are what was measured, the line is the forecast, and
# the levels are those of the learned energy.

# %%
path, std = member.forecast(third.states[0], third.times, std=True)
axes = member.plot(third.states[0], np.linspace(third.times[0], third.times[-1], 200))
axes.plot(*third.states.T, "k.", markersize=3)
plt.show()
# %% [markdown]
# How far the forecast is off, relative to the states:

# %%
print(f"{100 * np.linalg.norm(path - third.states) / np.linalg.norm(third.states):.2g} %")

# %% [markdown]
# What the code says of the length, with a standard deviation, beside the one that was measured:

# %%
value, std = member.labels()["length"]
print(f"{value:.3f} ± {std:.3f} as the code says, {family.members[7].parameters[0]:.3f} as it was measured")

# %% [markdown]
# Next: [your own data](own_data), as a laboratory measures them, or [what else a member can do](../members.md).
