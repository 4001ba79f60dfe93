"""The Python interface: numpy in, numpy out, no Hydra.

model = metastruct.load("outputs/pendulum-svd5-seed0-1a2b3c4d")
member = model.adapt(states, dxdt)            # observations of one new member
member.vector_field(x), member.energy(x), member.entropy(x), member.rollout(x0, times)
field, std = member.vector_field(x, std=True)  # with the standard deviation of its error
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import torch
from numpy.typing import ArrayLike
from omegaconf import DictConfig

from metastruct.adaptation.adaptation import frozen
from metastruct.adaptation.error_bars import energy_difference, error_bar
from metastruct.assembly import Trained, component
from metastruct.config import register
from metastruct.data.observations import Observations
from metastruct.integrators.rollout import rollout
from metastruct.model_file import Foreign
from metastruct.nets.site import Updates
from metastruct.run import Run, configuration_of
from metastruct.runs.files import check_contained, is_locked, read_checked, sum_file
from metastruct.runs.folder import RunFolder
from metastruct.validation import adapted_by, best_adaptation, check_read
from metastruct.validation.rehearsal import rehearse

Array = np.ndarray


def load(run_folder: str | Path) -> Model:
    """The meta-trained model of a run folder, on the CPU in float64. Nothing in its files is executed.

    Raises:
        FileNotFoundError: the folder holds no finished run.
        ValueError: the model file is damaged or does not belong to the configuration beside it.
    """
    folder = RunFolder(Path(run_folder))
    for path in (folder.config, folder.model):
        if not path.exists():
            raise FileNotFoundError(f"{folder.path} holds no {path.name}; expected the folder of a finished run")
    check_contained(folder.path)
    register()
    cfg = configuration_of(folder)
    run = Run.of(cfg)
    check_read(cfg)
    rehearse(run.config)
    content = read_checked(folder.model)
    if content is None:
        again = "run its command again with force=true"
        then = "another command makes it now; wait for that" if is_locked(folder.path) else again
        raise ValueError(f"{folder.model} does not have the sum in {sum_file(folder.model).name}; {then}")
    try:
        return Model(cfg, Trained.load(run.config, content, run.training.name))
    except Foreign as problem:
        raise ValueError(f"{folder.model} {problem}; run its command again with force=true") from None


class Model:
    """A meta-trained network that adapts to new members of its family."""

    def __init__(self, cfg: DictConfig, trained: Trained):
        self._cfg, self._trained = cfg, trained
        self.system: str = cfg.system.name
        self.state_dim = len(trained.model.dynamics.state_mean)

    def adapt(
        self,
        states: ArrayLike | Sequence[ArrayLike],
        dxdt: ArrayLike | Sequence[ArrayLike],
        adaptation: str | None = None,
        **settings: Any,
    ) -> Member:
        """Fit the code of one new member to observations of it; the network itself does not change.

        Args:
            states: states `[points, state]`, or a list of such arrays (several trajectories of the same member).
            dxdt: their time derivatives, in the same form.
            adaptation: "closed_form", "levenberg_marquardt" or "gradient"; None, whatever the run used, is the first of
                these that the model allows. The first two come with error bars.
            settings: overrides of its settings, such as `steps=100`, or `learning_rate=0.01` of "gradient".

        Raises:
            ValueError: a shape is wrong, a number is not finite, there is no observation, or a setting or an
                adaptation is unknown or does not go with the model.
        """
        x, points = self._observations(states, "states")
        y, derivatives = self._observations(dxdt, "dxdt")
        if points != derivatives:
            raise ValueError(f"states and dxdt must have as many points, got {points} and {derivatives}")
        name = best_adaptation(self._cfg) if adaptation is None else adaptation
        cfg = adapted_by(self._cfg, name)
        known = set(cfg.adaptation) - {"_target_", "name"}
        unknown = set(settings) - known
        if unknown:
            raise ValueError(f"adapt takes the settings {', '.join(sorted(known))}, got {', '.join(sorted(unknown))}")
        plain = {key: value.item() if isinstance(value, np.generic) else value for key, value in settings.items()}
        cfg = adapted_by(self._cfg, name, plain)
        start = self._trained.start(1, self._cfg.evaluation.start)
        observations = Observations(torch.from_numpy(x)[None], torch.from_numpy(y)[None])
        pieces = component(cfg.objective), observations, start, self._trained.prior()
        fit = component(cfg.adaptation).fit(self._trained.model, *pieces)
        return Member(self._cfg, self._trained, fit.codes, fit.trace[:, 0].numpy(), fit.covariance)

    def _observations(self, values: ArrayLike | Sequence[ArrayLike], name: str) -> tuple[Array, list[int]]:
        """All observations `[points, state]`, and the number of each trajectory."""
        pieces: Any = (
            values if isinstance(values, list | tuple) and np.ndim(values[0] if values else 0) == 2 else (values,)
        )
        arrays = [_floats(piece, f"{name} must be numbers of shape [points, {self.state_dim}]") for piece in pieces]
        for array in arrays:
            if array.ndim != 2 or array.shape[1] != self.state_dim:
                raise ValueError(f"{name} must have the shape [points, {self.state_dim}], got {list(array.shape)}")
        joined = np.concatenate(arrays)
        if not len(joined):
            raise ValueError(f"{name} must hold at least one observation [points, {self.state_dim}], got none")
        if not np.isfinite(joined).all():
            raise ValueError(f"{name} must be finite, got {int((~np.isfinite(joined)).sum())} NaN or infinite numbers")
        return joined, [len(array) for array in arrays]


class Member:
    """An adapted member: a vector field, its energy, its entropy and its trajectories.

    Attributes:
        code: the fitted code `[code]`.
        losses: support loss before each adaptation step and at the end, `[steps + 1]`.
        covariance: of the code's posterior `[code, code]`, or None after an adaptation that has none.
    """

    def __init__(
        self,
        cfg: DictConfig,
        trained: Trained,
        codes: torch.Tensor,
        losses: Array,
        covariance: torch.Tensor | None = None,
    ):
        self._cfg, self._dynamics, self._trained = cfg, trained.model.dynamics, trained
        self.code, self.losses = codes[0].numpy(), losses
        self.covariance = None if covariance is None else covariance[0].numpy()
        self._codes, self._posterior = codes, covariance
        with torch.no_grad():
            self._updates = trained.model.modulation(codes)

    @overload
    def vector_field(self, x: ArrayLike, std: Literal[False] = ...) -> Array: ...
    @overload
    def vector_field(self, x: ArrayLike, std: Literal[True]) -> tuple[Array, Array]: ...
    def vector_field(self, x: ArrayLike, std: bool = False) -> Array | tuple[Array, Array]:
        """dx/dt `[..., state]` at the states x `[..., state]`; with `std` also the standard deviation of its error.

        The error bar holds what the observations left open of the code and what no code could explain in training. It
        is meant for states like those of the training data, not for an extrapolation.

        Raises:
            ValueError: the last axis of x is not the state, a number is not finite, or there is no posterior.
        """
        points, shape = self._points(x, "x")
        if std:
            with frozen(self._trained.model):
                bars = error_bar(self._trained.model, points, self._codes, self._covariance(), self._trained.prior())
            mean, deviation = (values.numpy().reshape(shape) for values in bars)
            return mean, deviation
        with torch.no_grad():
            return self._dynamics.vector_field(points, self._updates).numpy().reshape(shape)

    def energy(self, x: ArrayLike) -> Array:
        """The learned energy `[...]` at the states x `[..., state]`, up to a constant; constant along rollouts.

        Raises:
            ValueError: the last axis of x is not the state, or a number is not finite.
            TypeError: the dynamics has no energy.
        """
        return self._potential(self._dynamics.energy, x)

    def entropy(self, x: ArrayLike) -> Array:
        """The learned entropy `[...]` at the states x `[..., state]`, up to a constant; never falls along rollouts.

        With dynamics=generic, E and S are known up to E -> b E, S -> S/b.

        Raises:
            ValueError: the last axis of x is not the state, or a number is not finite.
            TypeError: the dynamics has no entropy.
        """
        return self._potential(self._dynamics.entropy, x)

    def _potential(self, potential: Callable[[torch.Tensor, Updates], torch.Tensor], x: ArrayLike) -> Array:
        points, shape = self._points(x, "x")
        with torch.no_grad():
            return potential(points, self._updates).numpy().reshape(shape[:-1])

    def energy_difference(self, x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
        """E(x) - E(y) `[...]` and the standard deviation of its error; x and y `[..., state]` broadcast.

        Only differences of a learned energy mean something. What no code could explain of the field counts as an error
        of the slope that is the same all the way from y to x, which is the worst that it can be.

        Raises:
            ValueError: a shape is wrong, a number is not finite, or there is no posterior.
            TypeError: the dynamics has no energy.
        """
        ends = np.broadcast_arrays(_floats(x, "x must be numbers"), _floats(y, "y must be numbers"))
        (first, shape), (second, _) = self._points(ends[0], "x"), self._points(ends[1], "y")
        with frozen(self._trained.model):
            difference = energy_difference(
                self._trained.model, first, second, self._codes, self._covariance(), self._trained.prior()
            )
        mean, deviation = (values.numpy().reshape(shape[:-1]) for values in difference)
        return mean, deviation

    def _covariance(self) -> torch.Tensor:
        if self._posterior is None:
            raise ValueError(
                "error bars need the posterior of the code, which this adaptation does not have; "
                "adapt with adaptation='levenberg_marquardt'"
            )
        return self._posterior

    def rollout(self, x0: ArrayLike, times: ArrayLike) -> Array:
        """States `[..., times, state]` at the increasing times `[times]`, from x0 `[..., state]` at times[0].

        The steps between two times are never longer than the `step_size` of the run's integrator.

        Raises:
            ValueError: a shape is wrong, a number is not finite, or the times do not increase.
        """
        points, shape = self._points(x0, "x0")
        instants = _floats(times, "times must be numbers of shape [times]")
        if instants.ndim != 1 or not len(instants):
            raise ValueError(f"times must have the shape [times], got {list(instants.shape)}")
        if not np.isfinite(instants).all() or (np.diff(instants) <= 0).any():
            raise ValueError("times must be finite and increase")
        integrator = component(self._cfg.integrator)
        path = rollout(self._dynamics.flow(self._updates), points, torch.from_numpy(instants), integrator)
        return path.numpy().reshape(*shape[:-1], len(instants), shape[-1])

    def _points(self, x: ArrayLike, name: str) -> tuple[torch.Tensor, tuple[int, ...]]:
        size = len(self._dynamics.state_mean)
        array = _floats(x, f"{name} must be numbers of shape [..., {size}]")
        if array.ndim < 1 or array.shape[-1] != size:
            raise ValueError(f"{name} must have the shape [..., {size}], got {list(array.shape)}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} must be finite, got NaN or infinite numbers")
        return torch.from_numpy(np.ascontiguousarray(array).reshape(1, -1, size)), array.shape


def _floats(values: ArrayLike, expected: str) -> Array:
    """The one door for numbers from outside: they come in unchanged, or not at all.

    Raises:
        ValueError: the values are no real numbers, such as complex ones, or times with a unit of their own; or float64
            does not hold all of their digits.
    """
    if problem := _loses(values):
        raise ValueError(f"{expected}, got {problem}")
    try:
        array = np.asarray(values)
        if array.dtype.kind == "O" and not all(_is_real(value) for value in array.flat):
            raise TypeError("not all of it are real numbers")
        if array.dtype.kind in "iufO":
            with np.errstate(over="ignore"):  # what overflows does not keep its digits, see below
                floats = array.astype(np.float64)
    except (TypeError, ValueError, OverflowError, RuntimeError, RecursionError) as error:
        raise ValueError(f"{expected}, got something else ({' '.join(str(error).split())})") from None
    if array.dtype.kind not in "iufO":
        kinds = {"c": "complex numbers", "b": "truth values", "m": "time spans with a unit", "M": "dates"}
        raise ValueError(f"{expected}, got {kinds.get(array.dtype.kind, 'something else')} ({array.dtype})")
    if array.dtype.itemsize >= 8 and array.dtype != np.float64 and not _same(array, floats):
        raise ValueError(f"{expected}, got {array.dtype} numbers with more digits than float64 holds")
    return floats


def _loses(values: Any, depth: int = 0) -> str | None:
    """What numpy would drop of these without a word, a mask, a unit or digits, or None."""
    if isinstance(values, np.ma.MaskedArray):
        return "a masked array; leave out what is masked"
    if hasattr(values, "unit") or hasattr(values, "units"):
        return "numbers with a unit of their own"
    if isinstance(values, bool | np.bool):
        return "truth values"
    if isinstance(values, np.timedelta64):
        return "time spans with a unit"
    if isinstance(values, int | np.integer) and abs(int(values)) > 2**53:  # among floats it would become one
        return None if abs(int(values)) < 2**1023 and int(float(values)) == int(values) else "integers of more digits"
    if isinstance(values, list | tuple) and depth < 64:  # as many axes as an array of numpy can have
        return next(filter(None, (_loses(value, depth + 1) for value in values)), None)
    return None


def _is_real(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool | np.timedelta64)


def _same(array: Array, floats: Array) -> bool:
    """Does float64 hold all digits of these integers or long floats?"""
    if array.dtype.kind == "f":
        return bool(((floats == array) | (np.isnan(floats) & np.isnan(array))).all())
    pairs = zip(array.flat, floats.flat, strict=True)
    small = array.dtype.kind in "iu" and not (np.abs(floats) > 2.0**53).any()
    return small or all(_exact(one, float(other)) for one, other in pairs)


def _exact(one: Any, other: float) -> bool:
    """Is a number the float that was made of it? Integers compare as Python's own, which lose no digit."""
    one = int(one) if isinstance(one, int | np.integer) else one
    return one == other or (one != one and other != other)
