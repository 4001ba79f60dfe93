"""The figures of a run, drawn from its evaluation.npz."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from metastruct.runs.files import write_atomically

Arrays = dict[str, np.ndarray]
TRUE, LEARNED = "#222222", "#d1495b"
STYLE: Any = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 9,
    "figure.dpi": 130,
    "axes.titlesize": 9,
}


def draw_all(evaluation: Path, folder: Path) -> None:
    """Draw every figure that the arrays allow, as PNG, each written atomically."""
    arrays = _stored(evaluation)
    drawings = {
        "phase_portrait": phase_portrait,
        "energy": energy,
        "field_error": field_error,
        "adaptation": adaptation,
    }
    if len(arrays["train_codes"]) == len(arrays["train_parameters"]):
        drawings["codes"] = codes_of_domains if len(set(arrays.get("train_domains", []))) > 1 else codes
    if len(arrays["history"]):
        drawings["training"] = training
    if "true_entropy" in arrays:
        drawings["entropy"] = entropy
    if any(name.startswith("singular_values/") for name in arrays):
        drawings["singular_values"] = singular_values
    with plt.rc_context(STYLE):
        for name, draw in drawings.items():
            save(draw(arrays), folder / f"{name}.png")


def draw_portrait(evaluation: Path, *paths: Path) -> None:
    """Draw the phase portrait alone, in the formats of these paths."""
    with plt.rc_context(STYLE):
        save(phase_portrait(_stored(evaluation)), *paths)


def _stored(evaluation: Path) -> Arrays:
    with np.load(evaluation) as stored:
        return dict(stored)


def save(figure: Figure, *paths: Path) -> None:
    """Write a figure atomically in the formats of these paths, with the same bytes every time, and close it."""
    for path in paths:
        buffer = io.BytesIO()
        kind = path.suffix.lstrip(".")
        figure.savefig(buffer, format=kind, metadata={"CreationDate": None} if kind == "pdf" else None)
        write_atomically(path, buffer.getvalue())
    plt.close(figure)


def _errors(arrays: Arrays) -> np.ndarray:
    """Relative trajectory error of each test task, infinite where it is not finite."""
    query, flat = arrays["query"], (len(arrays["query"]), -1)
    with np.errstate(all="ignore"):
        error = np.linalg.norm((arrays["rollouts"] - query).reshape(flat), axis=1)
        return np.nan_to_num(error / np.linalg.norm(query.reshape(flat), axis=1), nan=np.inf)


def _chosen(arrays: Arrays) -> dict[str, int]:
    """The best, the median and the worst test task, by trajectory error."""
    order = np.argsort(_errors(arrays))
    return {"best": int(order[0]), "median": int(order[len(order) // 2]), "worst": int(order[-1])}


def _plane(arrays: Arrays) -> list[int]:
    """The two components that the evaluation grid varies."""
    return arrays["grid_axes"].tolist() if "grid_axes" in arrays else [0, 1]


def _mu(arrays: Arrays, task: int) -> str:
    if "test_members" in arrays:
        return str(arrays["test_members"][task])
    pairs = zip(arrays["parameter_names"], arrays["test_parameters"][task], strict=True)
    return ", ".join(f"{name} = {value:.2f}" for name, value in pairs)


def phase_portrait(arrays: Arrays) -> Figure:
    """True and adapted query trajectories in the plane of the evaluation grid."""
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
    plane = _plane(arrays)
    first, second = arrays["state_names"][plane]
    errors = _errors(arrays)
    for axis, (word, task) in zip(axes, _chosen(arrays).items(), strict=True):
        for i, (true, learned) in enumerate(zip(arrays["query"][task], arrays["rollouts"][task], strict=True)):
            axis.plot(*true[:, plane].T, color=TRUE, lw=2.4, alpha=0.35, label="true" if i == 0 else None)
            axis.plot(*learned[:, plane].T, color=LEARNED, lw=0.9, label="adapted" if i == 0 else None)
            axis.plot(*true[0, plane], "o", color=TRUE, ms=3)
        axis.set(
            xlabel=first,
            title=f"{word} of {len(errors)} new tasks, error {100 * errors[task]:.2f} %\n{_mu(arrays, task)}",
        )
    axes[0].set_ylabel(second)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def energy(arrays: Arrays) -> Figure:
    """Change of the learned and of the true energy along the adapted rollouts of the median task."""
    task = _chosen(arrays)["median"]
    kinds = [kind for kind in ("learned", "true") if f"{kind}_energy" in arrays]
    figure, axes = plt.subplots(1, len(kinds), figsize=(4.6 * len(kinds), 3.2), layout="constrained", squeeze=False)
    for axis, kind in zip(axes[0], kinds, strict=True):
        values = arrays[f"{kind}_energy"][task] / arrays[f"{kind}_energy_range"][task]
        axis.plot(
            arrays["times"], (values - values[:, :1]).T, color=LEARNED if kind == "learned" else TRUE, lw=0.9, alpha=0.8
        )
        axis.set(xlabel="t", title=f"{kind} H along adapted rollouts ({_mu(arrays, task)})")
        axis.ticklabel_format(axis="y", scilimits=(-2, 3))
    axes[0, 0].set_ylabel("(H(t) - H(0)) / range of H on the box")
    return figure


def entropy(arrays: Arrays) -> Figure:
    """Rise of the learned and of the true entropy along the adapted rollouts of the median task."""
    task = _chosen(arrays)["median"]
    kinds = [kind for kind in ("learned", "true") if f"{kind}_entropy" in arrays]
    figure, axes = plt.subplots(1, len(kinds), figsize=(4.6 * len(kinds), 3.2), layout="constrained", squeeze=False)
    for axis, kind in zip(axes[0], kinds, strict=True):
        values = arrays[f"{kind}_entropy"][task]
        rise = (values - values[:, :1]) / np.ptp(values)
        axis.plot(arrays["times"], rise.T, color=LEARNED if kind == "learned" else TRUE, lw=0.9, alpha=0.8)
        axis.set(xlabel="t", title=f"{kind} S along adapted rollouts ({_mu(arrays, task)})")
    axes[0, 0].set_ylabel("(S(t) - S(0)) / range of S on the rollouts")
    return figure


def field_error(arrays: Arrays) -> Figure:
    """Where in its box the adapted field is off, for the best, the median and the worst task."""
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
    plane = _plane(arrays)
    first, second = arrays["state_names"][plane]
    chosen = _chosen(arrays)
    true, learned = arrays["true_field"], arrays["learned_field"]
    scale = np.sqrt((true**2).sum(-1).mean(axis=(1, 2)))
    error = np.sqrt(((learned - true) ** 2).sum(-1)) / scale[:, None, None]
    shown = np.stack([error[task] for task in chosen.values()])
    top = shown.max(where=np.isfinite(shown), initial=0.0) or 1.0  # of a diverged task there is nothing to see
    for axis, (word, task) in zip(axes, chosen.items(), strict=True):
        grid = arrays["grid"][task]
        image = axis.pcolormesh(
            grid[..., plane[0]],
            grid[..., plane[1]],
            error[task],
            vmin=0,
            vmax=top,
            cmap="magma_r",
            shading="gouraud",
            rasterized=True,
        )
        axis.set(xlabel=first, title=f"{word}\n{_mu(arrays, task)}")
        for path in arrays["query"][task]:
            axis.plot(*path[:, plane].T, color=TRUE, lw=0.4, alpha=0.5)
    axes[0].set_ylabel(second)
    figure.colorbar(image, ax=axes, label="|learned - true| / rms |true|")
    return figure


def adaptation(arrays: Arrays) -> Figure:
    """Support loss of each new task along its adaptation."""
    figure, axis = plt.subplots(figsize=(4.6, 3.2), layout="constrained")
    axis.semilogy(arrays["trace"], color=LEARNED, lw=0.7, alpha=0.6)
    axis.semilogy(np.median(arrays["trace"], axis=1), color=TRUE, lw=1.8, label="median")
    axis.set(xlabel="adaptation step", ylabel="support loss", title=f"{arrays['trace'].shape[1]} new tasks")
    axis.legend(frameon=False)
    return figure


def codes(arrays: Arrays) -> Figure:
    """First two principal components of the training codes, coloured by each true parameter; new tasks as crosses."""
    names = arrays["parameter_names"]
    points, new, share = _principal(arrays)
    figure, axes = plt.subplots(1, len(names), figsize=(3.6 * len(names), 3.2), layout="constrained", squeeze=False)
    for i, (axis, name) in enumerate(zip(axes[0], names, strict=True)):
        values = arrays["train_parameters"][:, i]
        limits = {"vmin": values.min(), "vmax": values.max(), "cmap": "viridis"}
        seen = axis.scatter(*points.T, c=values, s=22, **limits)
        axis.scatter(
            *new.T,
            c=arrays["test_parameters"][:, i],
            s=34,
            marker="X",
            edgecolors="k",
            linewidths=0.6,
            **limits,
        )
        axis.set(xlabel=f"PC 1 ({100 * share[0]:.0f} %)", title=f"coloured by {name} (X: new tasks)")
        figure.colorbar(seen, ax=axis)
    axes[0, 0].set_ylabel(f"PC 2 ({100 * share[1]:.0f} %)" if len(share) > 1 else "")
    return figure


def codes_of_domains(arrays: Arrays) -> Figure:
    """First two principal components of the training codes, coloured by domain; new tasks as crosses."""
    points, new, share = _principal(arrays)
    figure, axis = plt.subplots(figsize=(5.6, 3.6), layout="constrained")
    for i, name in enumerate(dict.fromkeys(arrays["train_domains"].tolist())):
        old, crosses = points[arrays["train_domains"] == name], new[arrays["test_domains"] == name]
        axis.scatter(old[:, 0], old[:, 1], s=22, color=f"C{i}", label=name)
        axis.scatter(crosses[:, 0], crosses[:, 1], s=34, color=f"C{i}", marker="X", edgecolors="k", linewidths=0.6)
    axis.set(xlabel=f"PC 1 ({100 * share[0]:.0f} %)", title="codes of the tasks (X: new tasks)")
    axis.set_ylabel(f"PC 2 ({100 * share[1]:.0f} %)" if len(share) > 1 else "")
    figure.legend(loc="outside right center", frameon=False)
    return figure


def _principal(arrays: Arrays) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First two principal components of training and of new codes `[tasks, 2]`, and each component's share."""
    points = arrays["train_codes"]
    centre = points.mean(0)
    _, spread, axes_of_codes = np.linalg.svd(points - centre, full_matrices=False)
    plane = np.zeros((points.shape[1], 2))
    plane[:, : min(2, len(axes_of_codes))] = axes_of_codes[:2].T
    return (points - centre) @ plane, (arrays["test_codes"] - centre) @ plane, spread**2 / (spread**2).sum()


def training(arrays: Arrays) -> Figure:
    """Training loss over the outer steps."""
    figure, axis = plt.subplots(figsize=(4.6, 3.2), layout="constrained")
    axis.semilogy(*arrays["history"].T, color=TRUE, lw=1)
    axis.set(xlabel="outer step", ylabel="training loss", title=f"{len(arrays['train_parameters'])} training tasks")
    return figure


def singular_values(arrays: Arrays) -> Figure:
    """Distribution over the training tasks of the singular values of each site."""
    sites = [name for name in arrays if name.startswith("singular_values/")]
    figure, axes = plt.subplots(
        1, len(sites), figsize=(3.2 * len(sites), 3.0), layout="constrained", squeeze=False, sharey=True
    )
    for axis, site in zip(axes[0], sites, strict=True):
        axis.boxplot(arrays[site], medianprops={"color": LEARNED}, flierprops={"markersize": 2})
        axis.set(xlabel="i", title=site.removeprefix("singular_values/"))
    axes[0, 0].set_ylabel("d_i over the training tasks")
    return figure
