# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Error bars
#
# An adapted member knows how much its observations leave open. Bars shrink as observations come, and they are to
# hold the truth as often as they say: [how often they do](../../outputs/reference/coverage/pendulum/table.md).

# %%
import numpy as np

import metastruct

family = metastruct.Family.from_files("../../examples/pendulums.csv", states=["q", "p"])
model = metastruct.fit(
    family, dynamics="hamiltonian", test=["rod 7"], progress=False, settings={"modulation.code_dim": 2}
)
everything = model.observations(family)[7]
states, dxdt = (np.concatenate(everything[name]) for name in ("states", "dxdt"))
rng = np.random.default_rng(0)
noise = 0.1 * dxdt.std(axis=0)
dxdt = dxdt + noise * rng.normal(size=dxdt.shape)  # worse than they were measured
order = rng.permutation(len(states))
model

# %% [markdown]
# The code and its standard deviations after 2, 8 and 32 observations whose derivatives are off by a tenth of their
# spread. The loss is weighted by the noise that was named: as small as that of the training, these observations are
# explained.

# %%
members = {}
for count in (2, 8, 32):
    some = order[:count]
    observed = {"states": states[some], "dxdt": dxdt[some], "dxdt_noise": noise}
    members[count] = model.adapt_many([observed])[0]
    print(count, members[count], sep="\n")

# %% [markdown]
# Forecasts with bands of two standard deviations:

# %%
import matplotlib.pyplot as plt

times = np.linspace(0, 4, 161)
figure, axes = plt.subplots(1, 3, sharey=True, figsize=(9, 2.6), layout="constrained")
for axis, (count, member) in zip(axes, members.items(), strict=True):
    path, std = member.forecast([1.0, 0.0], times, std=True)
    axis.fill_between(times, path[:, 0] - 2 * std[:, 0], path[:, 0] + 2 * std[:, 0], alpha=0.3)
    axis.plot(times, path[:, 0])
    axis.set(title=f"{count} observations", xlabel="t", ylim=(-2, 2))
axes[0].set_ylabel("q")
plt.show()

# %% [markdown]
# More observations of the same member begin where it stands: its posterior is the prior of what comes.

# %%
some = order[32:64]
members[32].update(states[some], dxdt[some], dxdt_noise=noise)

# %% [markdown]
# A stranger is told by a warning, and by what it says of itself: these observations are of something that is none of
# the family, for it falls upwards.

# %%
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    strange = model.adapt_many([(states[order[:32]], -dxdt[order[:32]])])[0]
strange

# %% [markdown]
# Next: [long horizons and chaos](chaos), or [how a fit is judged](../method.md#3-training-and-adaptation).
