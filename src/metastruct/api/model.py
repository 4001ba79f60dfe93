"""A meta-trained model: what it needs to know of a new member, and how it adapts to one or to thousands."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from omegaconf import DictConfig
from torch import Tensor

from metastruct.adaptation.adaptation import Adaptation, Fit, Prior
from metastruct.api.fields import Fields
from metastruct.api.guest import undisturbed
from metastruct.api.member import Member
from metastruct.api.members import Members
from metastruct.api.pictured import of_model
from metastruct.api.reading import Reading, named
from metastruct.config.stages import ADAPTING, tell
from metastruct.data.family import Family
from metastruct.data.outside import several, shortly
from metastruct.data.shots import whole
from metastruct.data.tables.layout import Layout
from metastruct.data.trajectory import Member as Observed
from metastruct.evaluation.probe import Probe, probes
from metastruct.running.assembly import build_system, component, layout_of, reader
from metastruct.running.run import Run
from metastruct.running.trained import Trained
from metastruct.running.validation import adapted_by, best_adaptation
from metastruct.runs.shown import Rows, Shown

TOGETHER = 16_384  # points of a batched fit: its memory stays below a few hundred megabytes
SHOWN = 5  # members that a warning names


class Model(Shown):
    """A meta-trained network that adapts to new members of its family.

    Attributes:
        history: outer steps and the training loss there.
        folder: of the run, where it was loaded from one.
        settings: the configuration of the run.
        trained: weights, codes and history.
    """

    def __init__(self, cfg: DictConfig, trained: Trained, folder: Path | None = None):
        self.history, self.folder = trained.history, folder
        self.settings, self.trained = cfg, trained
        self.system: str = (cfg.system or cfg.data).name
        self.state_dim = len(trained.model.dynamics.state_mean)
        self._integrator = component(cfg.integrator)
        self._prior, self._best = trained.prior(), best_adaptation(cfg)
        self._objective: str = cfg.objective.name
        self._start: str = cfg.evaluation.start
        self._adaptations: dict[str, Adaptation] = {}

    @property
    def name(self) -> str:
        """The family that it was trained on: the system, or the states that were measured."""
        return self.system if self.settings.system is not None else ", ".join(self.layout.states)

    def shown(self) -> tuple[str, Rows]:
        """What it is made of and how it was trained."""
        return of_model(self)

    def adapt(
        self,
        states: ArrayLike | Sequence[ArrayLike],
        dxdt: ArrayLike | Sequence[ArrayLike] | None = None,
        adaptation: str | None = None,
        *,
        times: ArrayLike | Sequence[ArrayLike] | None = None,
        inputs: ArrayLike | Sequence[ArrayLike] | None = None,
        noise: ArrayLike | None = None,
        dxdt_noise: ArrayLike | None = None,
        **settings: Any,
    ) -> Member:
        """Fit the code of one new member to observations of it; the network itself does not change.

        Args:
            states: states `[points, state]`, or a list of such arrays (several trajectories of the same member).
            dxdt: their time derivatives, in the same form; not where the objective of the run needs none.
            adaptation: "closed_form", "levenberg_marquardt" or "gradient"; None, whatever the run used, is the first of
                these that the model allows. The first two come with error bars.
            times: when they were seen, `[points]` or a list of such; where the objective asks for it.
            inputs: what drove the member then, `[points, input]` or a list of such; where the model is driven.
            noise, dxdt_noise: standard deviation of the errors of the states and of their derivatives, `[state]` or one
                number for all. None: estimated from each trajectory where `times` are given, else that of the training.
            settings: overrides of its settings, such as `steps=100`, or `learning_rate=0.01` of "gradient".

        Raises:
            ValueError: a shape is wrong, a number is not finite, there is no observation, or a setting or an
                adaptation is unknown or does not go with the model.
        """
        observed = self._reading.member(states, dxdt, times, inputs, noise, dxdt_noise)
        member = Members(self._fields([observed], self._adaptation(adaptation, settings)), self)[0]
        for flag in member.flags:
            warnings.warn(flag, stacklevel=2)
        return member

    def adapt_many(
        self,
        observations: Sequence[Sequence[Any] | Mapping[str, Any]],
        adaptation: str | None = None,
        **settings: Any,
    ) -> Members:
        """Fit the codes of many new members, each as `adapt` does it, in batches of members of about the same size.

        Args:
            observations: of each member `(states, dxdt)`, or a mapping of `states`, `dxdt`, `times`, `inputs`, `noise`,
                `dxdt_noise`.
            adaptation, settings: as of `adapt`, for all.

        Raises:
            ValueError: as of `adapt`, with the number of the member; or there is none.
        """
        chosen, members = self._adaptation(adaptation, settings), []
        for number, one in enumerate(several(observations, "observations", "a list of those of each member")):
            try:
                members.append(self._reading.member(**named(one)))
            except ValueError as error:
                raise ValueError(f"member {number}: {error}") from None
        if not members:
            raise ValueError("adapt_many needs the observations of at least one member, got none")
        fitted = Members(self._fields(members, chosen), self)
        for flag, which in fitted.flags.items():
            if count := int(which.sum()):
                numbers = ", ".join(map(str, np.flatnonzero(which)[:SHOWN])) + (", ..." if count > SHOWN else "")
                warnings.warn(f"{count} of {len(which)} members ({numbers}): {flag}", stacklevel=2)
        return fitted

    def update(self, member: Member, observed: Mapping[str, Any], forgetting: float, adaptation: str | None) -> Member:
        """What more observations make of a member, as `Member.update` says."""
        fit, chosen = member.fields.fit, self._adaptation(adaptation, {})
        posterior = member.fields.covariance if fit.posterior is None else fit.posterior
        prior = self._prior.after(fit.codes, posterior, forgetting)
        more = self._fit([self._reading.member(**observed)], chosen, prior.mean[None], prior)
        return Members(self.fields(more), self)[0]

    @cached_property
    def probes(self) -> dict[str, Probe]:
        """What codes say of each label of the training members, with R^2 of members that were left out.

        Raises:
            ValueError: there are no labels, too few members, or no code for each.
        """
        labels, codes = self.trained.labels, self.trained.codes.numpy()
        if labels is None:
            raise ValueError("this model knows no labels of its training members; train it with data.labels=[...]")
        return probes(labels.names, labels.values.numpy(), codes)

    @cached_property
    def layout(self) -> Layout:
        """Which columns of a table hold what this model reads."""
        data, system = self.settings.data, build_system(self.settings)
        if system is not None:
            return layout_of(self.settings, system.state_names, system.input_names)
        return layout_of(self.settings, data.states, data.get("inputs", ()))

    @cached_property
    def held_inputs(self) -> bool:
        """Did inputs stay as they were from one instant to the next in the training? Else they went along lines."""
        system = build_system(self.settings)
        return bool(self.settings.data.get("held_inputs", False) if system is None else system.held_inputs)

    def observations(self, family: Family) -> list[dict[str, Any]]:
        """What `adapt_many` takes of the members of a family; a ValueError where it is none."""
        return self._reading.family(family)

    def read(self, family: Family) -> Family:
        """The family as the dynamics takes it, such as angles without jumps, with lines on that in its report."""
        members, lines = self._reading.read(family.members)
        return replace(family, members=members, report=(*family.report, *lines))

    @property
    def run(self) -> Run:
        """What trained it."""
        return Run.of(self.settings)

    def fields(self, fit: Fit) -> Fields:
        """Those of members that were fitted."""
        return Fields(self.trained, self._prior, self._integrator, fit, self.held_inputs, self.settings.trainer.work)

    @property
    def _reading(self) -> Reading:
        read = reader(self.settings, self.layout.states)
        return Reading(self.trained, self._objective, self.settings.data.get("outliers"), read)

    def _adaptation(self, name: str | None, settings: Mapping[str, Any]) -> Adaptation:
        """The adaptation with these settings, which is settled once."""
        name = self._best if name is None else name
        plain = {key: value.item() if isinstance(value, np.generic) else value for key, value in settings.items()}
        key = f"{shortly(name)} {sorted(plain.items())}"
        if key not in self._adaptations:
            cfg = adapted_by(self.settings, name)
            keys = set(cfg.adaptation) - {"_target_", "name"}
            if unknown := set(settings) - keys:
                strangers = ", ".join(sorted(unknown))
                raise ValueError(f"adapt takes the settings {', '.join(sorted(keys))}, got {strangers}")
            self._adaptations[key] = component(adapted_by(self.settings, name, plain).adaptation)
        return self._adaptations[key]

    def _fields(self, members: Sequence[Observed], adaptation: Adaptation) -> Fields:
        """All of them adapted, those of about the same size together; none depends on the others."""
        sizes = [sum(map(len, member.trajectories)) for member in members]
        order = sorted(range(len(members)), key=sizes.__getitem__)
        fits, batch = [], list[int]()
        for place, number in enumerate(order):
            batch.append(number)
            following = sizes[order[place + 1]] if place + 1 < len(order) else TOGETHER
            if (len(batch) + 1) * following > TOGETHER:
                fits.append(self._fit([members[one] for one in batch], adaptation))
                batch = []
                tell(ADAPTING, place + 1, len(members))
        if batch:
            fits.append(self._fit([members[one] for one in batch], adaptation))
        return self.fields(Fit.joined(fits, order))

    @undisturbed()
    def _fit(
        self,
        members: Sequence[Observed],
        adaptation: Adaptation,
        start: Tensor | None = None,
        prior: Prior | None = None,
    ) -> Fit:
        """All of them at once, from where the run's evaluation begins and the family's prior unless told otherwise."""
        objective = self.trained.objective.fitting(max(len(one) for member in members for one in member.trajectories))
        if note := objective.left_out([len(one) for member in members for one in member.trajectories]):
            warnings.warn(note, stacklevel=4)
        observations = whole(members, objective.request)
        if start is None:
            start = self.trained.start(len(members), self._start)
        fit = adaptation.fit(self.trained.model, objective, observations, start, prior or self._prior)
        lost = ~(fit.codes.isfinite().all(-1) & fit.trace[-1].isfinite())
        if lost.any():
            which = "" if len(lost) == 1 else f" of {int(lost.sum())} of {len(lost)} members"
            raise ValueError(
                f"states and what else was observed{which} must be of the size of what the model was trained on, got "
                "some whose fit leaves the finite numbers; write them in the units of the training"
            )
        return fit
