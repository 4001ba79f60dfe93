"""Sparse identification of one member: weak-form SINDy of the package pysindy, which comes with the extra `examples`.

    dx_i/dt = sum_j c_ij phi_j(x),   few c_ij not zero

Library and threshold are those whose forecasts of a support trajectory that was left out are best, so that the rival
has its chance. Source: Messenger and Bortz (2021), Weak SINDy for partial differential equations; Kaptanoglu et al.
(2022), PySINDy.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from metastruct.data.trajectory import Array, Trajectory
from metastruct.evaluation.rivals.rival import Field, Rival, misfits

THRESHOLDS = (0.0, 0.02, 0.1, 0.3)
LIBRARIES = ("quadratic", "cubic", "quintic", "cubic and waves")
WINDOWS, ORDER = 100, 4  # of the weak form
PARTS = 20  # half a window is such a part of a trajectory, if no gap between samples is longer
FEWEST = 12  # samples of a trajectory


class Sindy(Rival):
    """Weak-form SINDy with polynomials, or polynomials and sines and cosines, of the state."""

    def fit(self, support: Sequence[Trajectory], spread: Array) -> Field:
        """As of `Rival`.

        Raises:
            ValueError: pysindy is not installed, or the trajectories are too short.
        """
        try:
            import pysindy
        except ImportError:
            raise ValueError("pysindy is not installed; pip install 'metastruct[examples]'") from None
        longer = [one for one in support if len(one) >= FEWEST and 2.1 * np.diff(one.times).max() < np.ptp(one.times)]
        if not longer:
            raise ValueError(
                f"weak SINDy needs a trajectory of at least {FEWEST} samples without a gap of half its length, got none"
            )
        apart = longer[-1:]
        best, least, chosen = None, np.inf, (LIBRARIES[0], THRESHOLDS[0])
        for library in LIBRARIES:
            systems = [self._system(pysindy, library, one, spread) for one in longer]
            for threshold in THRESHOLDS:
                field = self._field(pysindy, library, threshold, systems[:-1] or systems, spread)
                wrong = np.inf if field is None else float(np.square(misfits(field, apart, spread)).mean())
                if wrong < least:
                    best, least, chosen = field, wrong, (library, threshold)
        if best is None:
            raise ValueError("no library of weak SINDy fits")
        systems = [self._system(pysindy, chosen[0], one, spread) for one in longer]
        return self._field(pysindy, *chosen, systems, spread) or best

    @staticmethod
    def _library(pysindy: Any, name: str) -> Any:
        degree = {"quadratic": 2, "quintic": 5}.get(name, 3)
        polynomials = pysindy.PolynomialLibrary(degree=degree)
        return polynomials + pysindy.FourierLibrary(n_frequencies=1) if "waves" in name else polynomials

    def _system(self, pysindy: Any, library: str, one: Trajectory, spread: Array) -> tuple[Array, Array]:
        """Functions and slopes of one trajectory, both integrated against the test functions."""
        scaled = one.states / (1.0 if "waves" in library else spread)
        random = np.random.get_state()  # of which pysindy draws its windows
        np.random.seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            times = one.times - one.times[0]
            width = max(times[-1] / PARTS, 1.01 * np.diff(times).max())  # of half a window, which holds two samples
            weak = pysindy.WeakPDELibrary(
                self._library(pysindy, library), spatiotemporal_grid=times, K=WINDOWS, p=ORDER, H_xt=width
            )
            axes = pysindy.AxesArray(scaled, {"ax_time": 0, "ax_coord": 1})
            functions = weak.fit([axes]).transform([axes])[0]
            slopes = weak.convert_u_dot_integral(axes)
        np.random.set_state(random)
        return np.asarray(functions), np.asarray(slopes)

    def _field(
        self, pysindy: Any, library: str, threshold: float, systems: Sequence[tuple[Array, Array]], spread: Array
    ) -> Field | None:
        functions, slopes = (np.concatenate(parts) for parts in zip(*systems, strict=True))
        size = np.linalg.norm(functions, axis=0)
        size, unit = np.where(size > 0, size, 1.0), np.linalg.norm(slopes, axis=0)
        unit = np.where(unit > 0, unit, 1.0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            solver = pysindy.STLSQ(threshold=threshold, alpha=1e-8)
            try:
                solver.fit(functions / size, slopes / unit)
            except (ValueError, np.linalg.LinAlgError):
                return None
        coefficients = solver.coef_ / size * unit[:, None]
        if not np.isfinite(coefficients).all():
            return None
        scale = np.ones_like(spread) if "waves" in library else spread
        terms = _terms(library, len(spread))

        def field(x: Array) -> Array:
            return np.asarray(scale * (terms(x / scale) @ coefficients.T))

        return field


def _terms(library: str, size: int) -> Any:
    """The functions of a library in the order of pysindy: by degree, then sines and cosines in turn."""
    degree = {"quadratic": 2, "quintic": 5}.get(library, 3)
    powers = [each for each in product(range(degree + 1), repeat=size) if sum(each) <= degree]
    powers.sort(key=lambda each: (sum(each), [-power for power in each]))

    def terms(x: Array) -> Array:
        parts = [np.prod(x ** np.array(each), axis=-1) for each in powers]
        if "waves" in library:
            parts += [wave(x[..., k]) for k in range(size) for wave in (np.sin, np.cos)]
        return np.stack(parts, axis=-1)

    return terms
