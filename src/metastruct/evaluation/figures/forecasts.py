"""Figures of forecasts of measured members: their bands, how errors grow, and what is left."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy.interpolate import CubicSpline

from metastruct.evaluation.archive import Archive
from metastruct.evaluation.figures.members import LEARNED, TRUE, chosen, median, seen

NORMAL_95 = 1.96
LAGS = 20
ANYWHERE = 10.0  # times the range of a forecast
MORE = 8  # instants of a curve for one of its forecast
DOTS: Any = {"marker": ".", "markersize": 3, "linestyle": "", "color": TRUE, "alpha": 0.7}


def forecast(archive: Archive) -> Figure:
    """Observations of the first query trajectory of three members, their forecasts and the bands that hold 95 %."""
    size, members = len(archive.state_names), chosen(archive)
    columns = len(members)
    figure, axes = plt.subplots(
        size, columns, figsize=(1 + 3 * columns, 1 + 1.6 * size), layout="constrained", squeeze=False, sharex="col"
    )
    for column, (word, task) in enumerate(members.items()):
        std = np.zeros_like(archive.query) if archive.forecast_std is None else archive.forecast_std
        along = archive.query[task], archive.rollouts[task], std[task]
        times, query, path, deviation = next(seen(archive, task, *along))
        for part, name in enumerate(archive.labels):
            band(axes[part, column], times, query[:, part], path[:, part], deviation[:, part])
            axes[part, 0].set_ylabel(name)
        axes[0, column].set_title(f"{word}: {archive.test_members[task]}")
        axes[-1, column].set_xlabel(archive.clock)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure


def band(axis: Axes, times: np.ndarray, observed: np.ndarray | None, path: np.ndarray, std: np.ndarray | None) -> None:
    """One component, `[times]`: what was seen, its forecast, and the band."""
    fine, curve = _between(times, path)
    if std is not None and (std > 0).any():
        half = NORMAL_95 * np.interp(fine, times, np.where(np.isfinite(std), std, _anywhere(path)))
        axis.fill_between(fine, curve - half, curve + half, color=LEARNED, alpha=0.2, linewidth=0, label="95 %")
    axis.plot(fine, curve, color=LEARNED, lw=0.9, label="forecast")
    if observed is not None:
        axis.plot(times, observed, **DOTS, label="observed", zorder=1)  # below, for dense ones hide the forecast
        spread = np.ptp(observed) or 1.0
        axis.set_ylim(observed.min() - 0.3 * spread, observed.max() + 0.3 * spread)


def _anywhere(path: np.ndarray) -> float:
    """A standard deviation that leaves a panel, of a forecast `[times]` of which nothing is known any more."""
    finite = path[np.isfinite(path)]
    return ANYWHERE * (float(np.ptp(finite)) if len(finite) > 1 else 1.0)


def _between(times: np.ndarray, path: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A forecast `[times]` at more instants, by a cubic spline: straight lines would cut its corners in gaps."""
    if len(times) < MORE or not np.isfinite(path).all() or not (np.diff(times) > 0).all():
        return times, path
    fine = np.interp(np.arange(0, len(times) - 1 + 1e-9, 1 / MORE), np.arange(len(times)), times)
    return fine, CubicSpline(times, path)(fine)


def horizon(archive: Archive) -> Figure:
    """How the error of forecasts grows with the time since their start; each member a line."""
    figure, axis = plt.subplots(figsize=(4.6, 3.2), layout="constrained")
    unit = np.nanstd(archive.query, axis=(0, 1, 2))
    unit = np.where(unit > 0, unit, 1.0)
    ends = []
    for task in range(len(archive.query)):
        parts = [*seen(archive, task, archive.query[task], archive.rollouts[task])]
        ages = np.concatenate([times - times[0] for times, *_ in parts])
        wrong = np.concatenate([np.square((path - query) / unit).mean(-1) for _, query, path in parts])
        edges = np.linspace(0, ages.max() * (1 + 1e-9), 26)
        place, kept = np.digitize(ages, edges), ages > 0
        bins = [number for number in range(1, len(edges)) if (place[kept] == number).any()]
        curve = [np.sqrt(wrong[kept][place[kept] == number].mean()) for number in bins]
        if np.isfinite(curve).all() and min(curve, default=0.0) > 0:
            axis.semilogy(edges[bins], curve, color=LEARNED, lw=0.8, alpha=0.7)
            ends.append(curve[-1])
    if archive.noise is not None and np.isfinite(archive.noise).all() and (archive.noise > 0).all() and ends:
        axis.axhline(np.sqrt(np.square(archive.noise / unit).mean()), color=TRUE, lw=0.8, ls=":", label="noise")
        axis.legend(frameon=False)
    axis.set(xlabel=f"{archive.clock} since the start", ylabel="error / spread", title=f"{len(archive.query)} members")
    return figure


def residuals(archive: Archive) -> Figure:
    """What the best starts leave of the median member, over time, and its autocorrelation beside that of noise."""
    size, task = len(archive.state_names), median(archive)
    assert archive.residuals is not None
    figure, axes = plt.subplots(size, 2, figsize=(9, 1 + 1.5 * size), layout="constrained", squeeze=False)
    parts = [*seen(archive, task, archive.residuals[task])]
    for part, name in enumerate(archive.labels):
        left, right = axes[part]
        for times, values in parts:
            left.plot(times, values[:, part], ".", ms=2, color=TRUE, alpha=0.5)
            lags = range(1, min(LAGS, len(values) // 2) + 1)
            power = np.square(values[:, part]).sum() or 1.0
            rho = [(values[:-lag, part] * values[lag:, part]).sum() / power for lag in lags]
            right.plot(lags, rho, ".-", ms=3, lw=0.6, color=LEARNED, alpha=0.7)
        limit = NORMAL_95 / np.sqrt(np.mean([len(values) for _, values in parts]))
        right.axhspan(-limit, limit, color=TRUE, alpha=0.12, linewidth=0)
        right.set_ylim(-1, 1)
        right.xaxis.set_major_locator(MaxNLocator(integer=True))
        left.set_ylabel(name)
    axes[0, 0].set_title(f"{archive.test_members[task]}: observed less followed from the best start")
    axes[0, 1].set_title("autocorrelation (grey: where 95 % of noise lie)")
    axes[-1, 0].set_xlabel(archive.clock)
    axes[-1, 1].set_xlabel("lag, samples")
    return figure
