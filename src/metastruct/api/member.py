"""One adapted member."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, overload

import torch
from numpy.typing import ArrayLike

from metastruct.api.fields import Fields
from metastruct.api.leaving import Leaving
from metastruct.api.pictured import Pictured
from metastruct.data.outside import Array, Inputs, instants_of, is_number, shortly
from metastruct.evaluation.probe import Estimate
from metastruct.integrators.signal import Signal

if TYPE_CHECKING:
    from metastruct.api.model import Model


class Member(Pictured, Leaving):
    """An adapted member: a vector field, its energy, its entropy and its trajectories.

    Attributes:
        code: the fitted code `[code]`.
        losses: support loss before each adaptation step and at the end, `[steps + 1]`.
        covariance: of the code's posterior `[code, code]`, or None after an adaptation that has none.
        converged: did the fit end at a minimum? None after an adaptation that does not know.
        p_value: how often a member of the family leaves as large a residual; None without a posterior.
        flags: what is wrong with it, in words; empty where nothing is.
    """

    def __init__(self, fields: Fields, model: Model):
        super().__init__(fields, model)
        self._space, fit = fields.space, fields.fit
        self.code, self.losses = fit.codes[0].numpy(), fit.trace[:, 0].numpy()
        self.covariance = None if fit.covariance is None else fit.covariance[0].numpy()
        self.converged = None if fit.converged is None else bool(fit.converged[0])
        self.p_value = None if fit.agreement is None else float(fit.agreement.p_value[0])
        self.flags = tuple(flag for flag, which in fields.flags.items() if which[0])

    @overload
    def vector_field(self, x: ArrayLike, std: Literal[False] = ..., inputs: ArrayLike | None = ...) -> Array: ...
    @overload
    def vector_field(self, x: ArrayLike, std: Literal[True], inputs: ArrayLike | None = ...) -> tuple[Array, Array]: ...
    def vector_field(
        self, x: ArrayLike, std: bool = False, inputs: ArrayLike | None = None
    ) -> Array | tuple[Array, Array]:
        """dx/dt `[..., state]` at the states x `[..., state]`; with `std` also that of its error,
        half the width of a bar that holds the truth in 68 of 100 cases.

        The error bar holds what the observations left open of the code and what no code could explain in training. It
        is meant for states like those of the training data, not for an extrapolation.

        Args:
            inputs: what drives the member `[input]`, where it is driven, or at each of the states `[..., input]`.

        Raises:
            ValueError: the last axis of x is not the state, a number is not finite, or there is no posterior.
        """
        points, shape = self._space.points(x)
        driving = self._space.beside(inputs, shape)
        if std:
            mean, deviation = (values.numpy().reshape(shape) for values in self.fields.error_bar(points, driving))
            return mean, deviation
        return self.fields.vector_field(points, driving).numpy().reshape(shape)

    def interval(self, x: ArrayLike, level: float = 0.95, inputs: ArrayLike | None = None) -> tuple[Array, Array]:
        """Lower and upper ends `[..., state]` of bars that hold dx/dt at the states x as often as `level` says.

        Raises:
            ValueError: as of `vector_field`, or the level is not between 0 and 1.
        """
        if not (is_number(level) and 0 < level < 1):
            raise ValueError(f"level must be a number between 0 and 1, got {shortly(level)}")
        points, shape = self._space.points(x)
        driving = self._space.beside(inputs, shape)
        mean, half = (part.numpy().reshape(shape) for part in self.fields.error_bar(points, driving, level))
        return mean - half, mean + half

    def energy(self, x: ArrayLike) -> Array:
        """The learned energy `[...]` at the states x `[..., state]`, up to a constant; constant along rollouts.

        Raises:
            ValueError: the last axis of x is not the state, or a number is not finite.
            TypeError: the dynamics has no energy.
        """
        points, shape = self._space.points(x)
        return self.fields.energy(points).numpy().reshape(shape[:-1])

    def entropy(self, x: ArrayLike) -> Array:
        """The learned entropy `[...]` at the states x `[..., state]`, up to a constant; never falls along rollouts.

        With dynamics=generic, E and S are known up to E -> b E, S -> S/b.

        Raises:
            ValueError: the last axis of x is not the state, or a number is not finite.
            TypeError: the dynamics has no entropy.
        """
        points, shape = self._space.points(x)
        return self.fields.entropy(points).numpy().reshape(shape[:-1])

    def energy_difference(self, x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
        """E(x) - E(y) `[...]` and the standard deviation of its error; x and y `[..., state]` broadcast.

        Only differences of a learned energy mean something. What no code could explain of the field counts as an error
        of the slope that is the same all the way from y to x, which is the worst that it can be.

        Raises:
            ValueError: a shape is wrong, a number is not finite, or there is no posterior.
            TypeError: the dynamics has no energy.
        """
        first, second, shape = self._space.pairs(x, y)
        difference = self.fields.energy_difference(first, second)
        mean, deviation = (values.numpy().reshape(shape[:-1]) for values in difference)
        return mean, deviation

    def rollout(self, x0: ArrayLike, times: ArrayLike, inputs: Inputs | None = None, held: bool | None = None) -> Array:
        """States `[..., times, state]` at the increasing times `[times]`, from x0 `[..., state]` at times[0].

        The steps between two times are never longer than the `step_size` of the run's integrator, in units of the time
        that the training took where no law gave one.

        Args:
            inputs: what drives the member, `[times, input]` at these times or a pair (t, u) of its own instants
                `[instants]` and values `[instants, input]`; before and after them it stays as it is, with a warning
                where that is longer than from one to the next.
            held: does an input stay as it is from one instant to the next? Else it goes along a straight line; None, as
                in the training.

        Raises:
            ValueError: a shape is wrong, a number is not finite, the times do not increase, or no input is known then.
        """
        instants = instants_of(times)
        return self._path(x0, instants, self._space.signal(inputs, instants, held))

    def _path(self, x0: ArrayLike, instants: Array, signal: Signal | None) -> Array:
        points, shape = self._space.starts(x0)
        path = self.fields.rollout(points, torch.from_numpy(instants), signal)
        return path.numpy().reshape(*shape[:-1], len(instants), shape[-1])

    @overload
    def forecast(
        self,
        x0: ArrayLike,
        times: ArrayLike,
        std: Literal[False] = ...,
        *,
        inputs: Inputs | None = ...,
        held: bool | None = ...,
        start_std: ArrayLike | None = ...,
    ) -> Array: ...
    @overload
    def forecast(
        self,
        x0: ArrayLike,
        times: ArrayLike,
        std: Literal[True],
        *,
        inputs: Inputs | None = ...,
        held: bool | None = ...,
        start_std: ArrayLike | None = ...,
    ) -> tuple[Array, Array]: ...
    def forecast(
        self,
        x0: ArrayLike,
        times: ArrayLike,
        std: bool = False,
        *,
        inputs: Inputs | None = None,
        held: bool | None = None,
        start_std: ArrayLike | None = None,
    ) -> Array | tuple[Array, Array]:
        """States `[..., times, state]` as of `rollout`; with `std` also the standard deviation of their errors.

        The error bars hold what the observations left open of the code, what no code could explain in training, and
        the error of the start, to first order along the trajectory.

        Args:
            inputs, held: as of `rollout`.
            start_std: standard deviations of the errors of x0 `[state]`; left out: x0 is exact.

        Raises:
            ValueError: a shape is wrong, a number is not finite, the times do not increase, or there is no posterior.
        """
        instants = instants_of(times)
        signal = self._space.signal(inputs, instants, held)
        path = self._path(x0, instants, signal)
        if not std:
            return path
        points, _ = self._space.points(x0, "x0")
        error = None if start_std is None else self._space.errors(start_std, "start_std")
        deviation = self.fields.forecast_error(points, torch.from_numpy(instants), signal, error)
        return path, deviation.numpy().reshape(path.shape)

    def update(
        self,
        states: ArrayLike | Sequence[ArrayLike],
        dxdt: ArrayLike | Sequence[ArrayLike] | None = None,
        *,
        times: ArrayLike | Sequence[ArrayLike] | None = None,
        inputs: ArrayLike | Sequence[ArrayLike] | None = None,
        noise: ArrayLike | None = None,
        dxdt_noise: ArrayLike | None = None,
        forgetting: float = 1.0,
        adaptation: str | None = None,
    ) -> Member:
        """The member after more observations, with what it was before as prior: its error bars shrink as data come in.

        Equal to one fit to all observations where the field is affine in the code, to first order elsewhere.

        Args:
            states, dxdt, times, inputs, noise, dxdt_noise, adaptation: as of `Model.adapt`.
            forgetting: from 0, what is new alone counts, to 1, all counts alike; below 1 a drifting member is followed.

        Raises:
            ValueError: as of `Model.adapt`; there is no posterior, or `forgetting` is not from 0 to 1.
        """
        if not (is_number(forgetting) and 0 <= forgetting <= 1):
            raise ValueError(f"forgetting must be a number from 0 to 1, got {shortly(forgetting)}")
        observed = dict(states=states, dxdt=dxdt, times=times, inputs=inputs, noise=noise, dxdt_noise=dxdt_noise)
        return self.model.update(self, observed, float(forgetting), adaptation)

    def labels(self) -> dict[str, Estimate]:
        """What the code says of the labels that the training members have, each `(value, std)`.

        The errors hold that of the probe and, where there is a posterior, that of the code. How much a code tells at
        all is `model.probes[name].r2`.

        Raises:
            ValueError: the training members have no labels, or are too few.
        """
        return {name: probe.estimate(self.code, self.covariance) for name, probe in self.model.probes.items()}
