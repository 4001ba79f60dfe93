# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Long horizons and chaos
#
# What keeping a structure is good for shows on the long run; and what no model can do shows where neighbours part.

# %%
import matplotlib.pyplot as plt
import numpy as np
from scipy.integrate import solve_ivp

import metastruct

family = metastruct.Family.from_files("../../examples/pendulums.csv", states=["q", "p"])
models = {
    dynamics: metastruct.fit(
        family, dynamics=dynamics, test=["rod 7"], progress=False, settings={"modulation.code_dim": 2}
    )
    for dynamics in ("hamiltonian", "unstructured")
}
members = {name: model.adapt_many([model.observations(family)[7]])[0] for name, model in models.items()}

# %% [markdown]
# ## A hundred horizons
#
# The same pendulum by a Hamiltonian and by an unstructured field, learned from the same data, for a hundred times the
# 1.7 s of a trajectory, and along both the energy of the law (rod 7: length 1.175 m, mass 1 kg). The first goes up and
# down a little and stays; the second has nothing that holds it.

# %%
length = 1.175
until = 170.0  # in small: 2.0
times = np.arange(0, until, 0.05)
for name, member in members.items():
    q, p = member.rollout([1.0, 0.0], times).T
    plt.plot(times, p**2 / (2 * length**2) + 9.81 * length * (1 - np.cos(q)), label=name, lw=0.8)
plt.xlabel("t (s)")
plt.ylabel("energy by the law (J)")
plt.legend()
plt.show()
# %% [markdown]
# ## Neighbours that part
#
# Lorenz systems: each forecast loses its path after some Lyapunov times, whatever the model, for an error grows as
# exp(lambda t), here by e in a time of about 1.1. What can be kept is the attractor. No structure is known of it, so
# the field is `unstructured`; the last of twelve members is held out.

# %%
rng = np.random.default_rng(0)


def field(rho, x):
    """dx/dt of the Lorenz system, x `[3, ...]`."""
    return np.array([10 * (x[1] - x[0]), x[0] * (rho - x[2]) - x[1], x[0] * x[1] - 8 / 3 * x[2]])


def path(rho, until, count):
    """States `[count, 3]` on the attractor, at even instants."""
    start = rng.uniform(-10, 10, 3) + np.array([0, 0, 25])
    solved = solve_ivp(
        lambda t, x: field(rho, x),
        (-5, until),
        start,
        t_eval=np.linspace(0, until, count),
        rtol=1e-9,
        atol=1e-9,
    )
    return solved.t, solved.y.T


def trajectories(rho):
    """Four trajectories of one member, with their derivatives."""
    for _ in range(4):
        t, x = path(rho, 4, 200)
        yield {"times": t, "states": x, "derivatives": field(rho, x.T).T}


count = 12  # in small: 3
rhos = rng.uniform(26, 32, count)
lorenz = metastruct.Family.from_arrays([[*trajectories(rho)] for rho in rhos], states=["x", "y", "z"])
model = metastruct.fit(
    lorenz,
    dynamics="unstructured",
    test=[str(count - 1)],
    progress=False,
    settings={"modulation.code_dim": 2},
)
member = model.adapt_many([model.observations(lorenz)[-1]])[0]
model

# %%
t, x = path(rhos[-1], 20, 1001)
forecast = member.rollout(x[0], t)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
left.plot(t, x[:, 0], "k", lw=0.8, label="law")
left.plot(t, forecast[:, 0], color="#d1495b", lw=0.8, label="member")
left.set(xlabel="t", ylabel="x")
left.legend()
right.plot(x[:, 0], x[:, 2], "k", lw=0.4)
right.plot(forecast[:, 0], forecast[:, 2], color="#d1495b", lw=0.4)
right.set(xlabel="x", ylabel="z")
plt.show()

# %% [markdown]
# Next: [integrators of learned mechanisms](../mechanics.md#integrators), or [many bodies](../many_bodies.md).
