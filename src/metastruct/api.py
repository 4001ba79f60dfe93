"""The Python interface: numpy in, numpy out, no Hydra.

model = metastruct.load("outputs/pendulum-svd5-seed0-1a2b3c4d")
member = model.adapt(states, dxdt)            # observations of one new member
member.vector_field(x), member.energy(x), member.rollout(x0, times)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from omegaconf import DictConfig, OmegaConf

from metastruct.assembly import Trained, component
from metastruct.config import register
from metastruct.integrators.rollout import rollout
from metastruct.runs.files import read_checked, sum_file
from metastruct.runs.folder import RunFolder

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
    content = read_checked(folder.model)
    if content is None:
        raise ValueError(
            f"{folder.model} does not have the sum in {sum_file(folder.model).name}; run its command again"
        )
    register()
    cfg = OmegaConf.load(folder.config)
    assert isinstance(cfg, DictConfig)
    try:
        return Model(cfg, Trained.load(cfg, content))
    except (RuntimeError, KeyError, UnpicklingError) as error:
        raise ValueError(
            f"{folder.model} does not hold the model that {folder.config.name} describes; run its command again"
        ) from error


class Model:
    """A meta-trained network that adapts to new members of its family."""

    def __init__(self, cfg: DictConfig, trained: Trained):
        self._cfg, self._trained = cfg, trained
        self.system: str = cfg.system.name
        self.state_dim = len(trained.model.dynamics.state_mean)

    def adapt(
        self, states: ArrayLike | Sequence[ArrayLike], dxdt: ArrayLike | Sequence[ArrayLike], **settings: Any
    ) -> Member:
        """Fit the code of one new member to observations of it; the network itself does not change.

        Args:
            states: states `[points, state]`, or a list of such arrays (several trajectories of the same member).
            dxdt: their time derivatives, in the same form.
            settings: overrides of the run's adaptation settings, such as `steps=100` or `learning_rate=0.01`.

        Raises:
            ValueError: a shape is wrong, a number is not finite, there is no observation, or a setting is unknown.
        """
        x, points = self._observations(states, "states")
        y, derivatives = self._observations(dxdt, "dxdt")
        if points != derivatives:
            raise ValueError(f"states and dxdt must have as many points, got {points} and {derivatives}")
        known = set(self._cfg.adaptation) - {"_target_", "name"}
        unknown = set(settings) - known
        if unknown:
            raise ValueError(f"adapt takes the settings {', '.join(sorted(known))}, got {', '.join(sorted(unknown))}")
        adaptation = component(self._cfg.adaptation, **settings)
        start = self._trained.start(1, self._cfg.evaluation.start)
        fit = adaptation.fit(self._trained.model, torch.from_numpy(x)[None], torch.from_numpy(y)[None], start)
        return Member(self._cfg, self._trained, fit.codes, fit.trace[:, 0].numpy())

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
    """An adapted member: a vector field, its energy and its trajectories.

    Attributes:
        code: the fitted code `[code]`.
        losses: support loss before each adaptation step and at the end, `[steps + 1]`.
    """

    def __init__(self, cfg: DictConfig, trained: Trained, codes: torch.Tensor, losses: Array):
        self._cfg, self._dynamics = cfg, trained.model.dynamics
        self.code, self.losses = codes[0].numpy(), losses
        with torch.no_grad():
            self._updates = trained.model.modulation(codes)

    def vector_field(self, x: ArrayLike) -> Array:
        """dx/dt `[..., state]` at the states x `[..., state]`.

        Raises:
            ValueError: the last axis of x is not the state, or a number is not finite.
        """
        points, shape = self._points(x, "x")
        with torch.no_grad():
            return self._dynamics.vector_field(points, self._updates).numpy().reshape(shape)

    def energy(self, x: ArrayLike) -> Array:
        """The learned energy `[...]` at the states x `[..., state]`, up to a constant; constant along rollouts.

        Raises:
            ValueError: the last axis of x is not the state, or a number is not finite.
            TypeError: the dynamics has no energy.
        """
        points, shape = self._points(x, "x")
        with torch.no_grad():
            return self._dynamics.energy(points, self._updates).numpy().reshape(shape[:-1])

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
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{expected}, got something else ({error})") from None
