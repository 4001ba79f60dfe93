"""The figures of the tables; a method has the same colour and marker in all of them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metastruct.reports.figures import STYLE
from metastruct.reports.layout import METHODS
from metastruct.reports.results import FIELD, TRAJECTORY, Results, Run, groups
from metastruct.runs.files import write_atomically

LOOK = {  # colours that differ in lightness too
    "svd": ("#08306b", "o"),
    "shift": ("#e6550d", "s"),
    "rank_one": ("#31a354", "^"),
    "multi_rank": ("#756bb1", "v"),
    "full_weight": ("#a50f15", "D"),
    "camel": ("#17a2b8", "P"),
    "geps": ("#8c6d31", "X"),
    "maml": ("#525252", "<"),
    "anil": ("#737373", ">"),
    "reptile": ("#969696", "p"),
    "pretrained": ("#b5b5b5", "h"),
    "scratch": ("#cccccc", "*"),
}
NAMES = {FIELD: "field error", TRAJECTORY: "trajectory error"}


def look(method: str) -> dict[str, Any]:
    colour, marker = LOOK.get(method.partition("(")[0], ("#000000", "."))
    return {"color": colour, "marker": marker}


def named(method: str) -> str:
    return METHODS.get(method, method)


def draw(results: Results, folder: Path) -> list[Path]:
    """Draw the figure of a table as PNG and PDF; nothing where it has none."""
    drawing = DRAWINGS.get(results.name)
    if drawing is None or not results:
        return []
    with plt.rc_context(STYLE | {"figure.dpi": 160}):
        figure = drawing(results)
        paths = []
        for kind in ("png", "pdf"):
            buffer = io.BytesIO()
            figure.savefig(
                buffer, format=kind, bbox_inches="tight", metadata={"CreationDate": None} if kind == "pdf" else {}
            )
            paths.append(folder / f"{results.name}.{kind}")
            write_atomically(paths[-1], buffer.getvalue())
        plt.close(figure)
    return paths


def methods(results: Results) -> Figure:
    """Errors of every method, a dot a seed, a panel each system and error."""
    return _dots(results, "system", lambda run: run["method"])


def dissipative(results: Results) -> Figure:
    """As `methods`; brackets and sizes of a chain beside the method."""

    def label(run: Run) -> str:
        bracket = run["dynamics"].partition("(")[2].rstrip(")")
        return f"{named(run['method'])} {bracket if bracket != 'gnode' else ''} {run['setting']}".strip()

    return _dots(results, "system", label)


def _dots(results: Results, panel: str, label: Callable[[Run], str]) -> Figure:
    panels = results.different(panel)
    longest = max(len({label(run) for run in results.where(**{panel: name}).runs}) for name in panels)
    size = (3.4 * len(panels) + 1, 0.26 * longest * 2 + 1.6)
    figure, axes = plt.subplots(2, len(panels), figsize=size, squeeze=False, layout="constrained")
    for column, name in enumerate(panels):
        of = results.where(**{panel: name})
        labels = list(dict.fromkeys(label(run) for run in of.runs))
        for row, metric in enumerate((FIELD, TRAJECTORY)):
            ax: Axes = axes[row, column]
            for run in of.runs:
                value = 100 * run.mean(metric)
                if np.isfinite(value):
                    ax.plot(value, labels.index(label(run)), ls="", ms=5, alpha=0.85, **look(run["method"]))
                if run.lost.any() and metric == TRAJECTORY:
                    ax.annotate(f"{run.lost.sum()} lost", (0.99, labels.index(label(run))), xycoords=("axes fraction", "data"),
                                ha="right", va="center", fontsize=6)  # fmt: skip
            ax.set_xscale("log")
            ax.set_yticks(range(len(labels)), [named(text) for text in labels])
            ax.set_ylim(len(labels) - 0.5, -0.5)
            ax.grid(axis="x", which="both", color="#dddddd", lw=0.5)
            ax.set_axisbelow(True)
            ax.set_title(name if row == 0 else "")
            ax.set_xlabel(f"{NAMES[metric]} (x 1e-2)")
    return figure


def shots(results: Results) -> Figure:
    """Errors against observations (left) and adaptation steps (right), medians of tasks, band over seeds."""
    systems = results.different("system")
    figure, axes = plt.subplots(len(systems), 4, figsize=(11, 2.7 * len(systems)), squeeze=False, layout="constrained")
    for row, system in enumerate(systems):
        of = results.where(system=system)
        full = of.those(lambda run: run["steps"] == "300" or run["adaptation"] != "gradient")
        stepped = of.where(shots="200", adaptation="gradient")
        for column, metric in enumerate((FIELD, TRAJECTORY)):
            _curves(axes[row, column], full, "shots", metric)
            _curves(axes[row, 2 + column], stepped, "steps", metric)
            axes[row, column].set_xlabel("observations")
            axes[row, 2 + column].set_xlabel("adaptation steps")
        axes[row, 0].set_ylabel(f"{system}\nerror (x 1e-2)")
    for column, title in enumerate(2 * ["field error", "trajectory error"]):
        axes[0, column].set_title(title)
    _legend(figure, axes)
    return figure


def ranks(results: Results) -> Figure:
    """Errors against the rank; the local rank of the family as a line."""
    systems = results.different("system")
    figure, axes = plt.subplots(len(systems), 2, figsize=(6.4, 2.5 * len(systems)), squeeze=False, layout="constrained")
    for row, system in enumerate(systems):
        for column, metric in enumerate((FIELD, TRAJECTORY)):
            ax = axes[row, column]
            _curves(ax, results.where(system=system), "rank", metric, key="modulation")
            ax.axvline(3, color="#999999", lw=1, ls=":")
            ax.annotate(
                "local rank 3",
                (3, 1),
                xycoords=("data", "axes fraction"),
                fontsize=7,
                rotation=90,
                va="top",
                ha="right",
            )
            ax.set_xlabel("rank")
            ax.set_title(f"{system}: {NAMES[metric]}")
        axes[row, 0].set_ylabel("error (x 1e-2)")
    _legend(figure, axes)
    return figure


def _curves(ax: Axes, results: Results, x: str, metric: str, key: str = "method") -> None:
    for (method, adaptation), of in groups(results, (key, "adaptation")).items():
        values = {float(at): np.array(of.where(**{x: at}).means(metric)) for at in of.different(x)}
        at = np.array(sorted(values))
        rows = [values[point][np.isfinite(values[point])] for point in at]
        centre = np.array([np.exp(np.log(100 * row).mean()) if len(row) else np.nan for row in rows])
        low, high = (np.array([100 * f(row) if len(row) else np.nan for row in rows]) for f in (np.min, np.max))
        dashed = adaptation == "levenberg_marquardt"
        label = f"{named(method)}{', Levenberg-Marquardt' if dashed else ''}"
        ax.plot(at, centre, label=label, ms=4, lw=1.2, ls="--" if dashed else "-", **look(method))
        ax.fill_between(at, low, high, color=look(method)["color"], alpha=0.15, lw=0)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ticks = [float(value) for value in results.different(x)]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks], fontsize=7)
    ax.minorticks_off()


def _legend(figure: Figure, axes: np.ndarray) -> None:
    entries = {label: handle for ax in axes.flat for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=4, frameon=False, fontsize=8)


def locality(results: Results) -> Figure:
    """Errors over the nine settings of the locality weights, a column a method."""
    systems = results.different("system")
    figure, axes = plt.subplots(len(systems), 2, figsize=(7, 2.5 * len(systems)), squeeze=False, layout="constrained")
    for row, system in enumerate(systems):
        of = results.where(system=system)
        for column, metric in enumerate((FIELD, TRAJECTORY)):
            ax = axes[row, column]
            for i, method in enumerate(of.different("method")):
                values = 100 * np.array(of.where(method=method).means(metric))
                offsets = np.linspace(-0.25, 0.25, len(values))
                ax.plot(i + offsets, values, ls="", ms=4, **look(method))
                ax.hlines(np.nanmedian(values), i - 0.35, i + 0.35, color=look(method)["color"], lw=1)
            ax.set_yscale("log")
            ax.set_xticks(range(len(of.different("method"))), [named(name) for name in of.different("method")])
            ax.set_title(f"{system}: {NAMES[metric]}")
        axes[row, 0].set_ylabel("error (x 1e-2)")
    return figure


def initialisation(results: Results) -> Figure:
    """Errors from z_avg against errors from zero (left), and evolving against reset codes (right), a dot a run."""
    figure, axes = plt.subplots(1, 2, figsize=(7.4, 3.6), layout="constrained")
    pairs = (("start", "zero", "mean", axes[0]), ("codes", "reset", "evolving", axes[1]))
    for setting, other, ours, ax in pairs:
        rest = [name for name in ("system", "method", "codes", "steps", "start", "seed") if name != setting]
        for key, of in groups(results, rest).items():
            one, two = of.where(**{setting: other}), of.where(**{setting: ours})
            if one and two:
                filled = "full" if key[0] == "pendulum" else "none"
                ax.plot(100 * one.means(TRAJECTORY)[0], 100 * two.means(TRAJECTORY)[0], ls="", ms=5, fillstyle=filled,
                        label=f"{named(key[1])}, {key[0]}", **look(key[1]))  # fmt: skip
        low, high = ax.get_xlim()
        ax.set_xscale("log")
        ax.set_yscale("log")
        edges = [0.3, 300]
        ax.plot(edges, edges, color="#999999", lw=1)
        ax.set_xlabel(f"trajectory error (x 1e-2), {setting} {other}")
        ax.set_ylabel(f"trajectory error (x 1e-2), {setting} {ours}")
    _legend(figure, axes)
    return figure


def parameters(results: Results) -> Figure:
    """Error against trained parameters; the settings that no other beats in both are joined."""
    figure, axes = plt.subplots(1, 2, figsize=(7.4, 3.4), layout="constrained")
    for ax, metric in zip(axes, (FIELD, TRAJECTORY), strict=True):
        points = []
        for (method, size), of in groups(results, ("method", "base_parameters")).items():
            value = 100 * float(np.nanmean(of.means(metric)))
            points.append((of.runs[0].parameters, value))
            ax.plot(*points[-1], ls="", ms=5, label=named(method), **look(method))
        front, best = [], np.inf
        for at, value in sorted(points):
            if value < best:
                best = value
                front.append((at, value))
        ax.step(*zip(*front, strict=True), where="post", color="#999999", lw=1, zorder=0)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlabel("trained parameters")
        ax.set_ylabel(f"{NAMES[metric]} (x 1e-2)")
    _legend(figure, axes)
    return figure


def domains(results: Results) -> Figure:
    """Errors of each domain of a joint training, a dot a seed."""
    names = list(dict.fromkeys(results.runs[0].domains))
    labels = results.different("method")
    size = (3.2 * len(names) + 1, 0.55 * len(labels) + 1.6)
    figure, axes = plt.subplots(2, len(names), figsize=size, squeeze=False, layout="constrained")
    for column, domain in enumerate(names):
        for row, metric in enumerate((FIELD, TRAJECTORY)):
            ax = axes[row, column]
            for run in results.runs:
                value = 100 * run.mean(metric, domain)
                if np.isfinite(value):
                    ax.plot(value, labels.index(run["method"]), ls="", ms=5, **look(run["method"]))
            ax.set_xscale("log")
            ax.set_yticks(range(len(labels)), [named(text) for text in labels])
            ax.set_ylim(len(labels) - 0.5, -0.5)
            ax.grid(axis="x", which="both", color="#dddddd", lw=0.5)
            ax.set_title(domain if row == 0 else "")
            ax.set_xlabel(f"{NAMES[metric]} (x 1e-2)")
    return figure


DRAWINGS: dict[str, Callable[[Results], Figure]] = {
    "main": methods,
    "morse": methods,
    "dissipative": dissipative,
    "shots": shots,
    "ranks": ranks,
    "locality": locality,
    "initialisation": initialisation,
    "parameters": parameters,
    "multi_domain": domains,
}
